# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Names of multicast DNS in place of addresses (draft-ietf-mmusic-mdns-ice-candidates): Chromium's are resolved by us, ours by
Chromium, aioice and pion. Whoever tells a name is told no candidates, so that the name is the only way."""
import contextlib
import unittest

import ice_browser
import ice_peers
import ice_programs
import lab
import programs
import relay_servers as relays


def names_of(peer):
    return [event["line"].split()[4] for event in peer.all("candidate") if "typ host" in event["line"]]


class Names(unittest.TestCase):
    @contextlib.contextmanager
    def met(self, told, teller):
        """`told` hears of `teller` all that there is, `teller` of `told` the credentials; both find the way."""
        with contextlib.closing(told), contextlib.closing(teller):
            teller.trickle_to(told)
            said = told.wait("description")
            teller.tell(f"a=ice-ufrag:{said['ufrag']}", f"a=ice-pwd:{said['pwd']}")
            for one in (told, teller):
                one.wait_for_state("completed")
            self.assertTrue(names_of(teller), teller.story())
            for name in names_of(teller):
                self.assertRegex(name, r"^[0-9a-f-]{36}\.local$")
            yield
            ours = told if told.name == "ours" else teller
            print(f"{told.name} resolves {names_of(teller)} of {teller.name}, "
                  f"{'we control' if ours.controlling else 'they control'}", flush=True)

    def browser(self, controlling):
        return ice_browser.BrowserPeer(self.enterContext(programs.World()), controlling)

    @staticmethod
    def ours(controlling, *words):
        return ice_peers.Peer(ice_peers.ours("--bind", relays.CLIENT, "--patience-ms", 300, *words), controlling, name="ours")

    @programs.needs("chromium")
    def test_those_of_chromium(self):
        for we_control in (True, False):
            with self.subTest(we_control=we_control):
                ours, browser = self.ours(we_control), self.browser(not we_control)
                with self.met(ours, browser):
                    found, route = ours.last("resolved"), ours.last("selected")
                    self.assertIn(found["name"], names_of(browser))
                    self.assertEqual((route["remote_type"], route["remote"].rpartition(":")[0]), ("host", found["address"]))
                    ice_browser.assert_receives(ours, browser)

    @programs.needs("chromium")
    def test_ours_with_chromium(self):
        for we_control in (True, False):
            with self.subTest(we_control=we_control):
                ours, browser = self.ours(we_control, "--names"), self.browser(not we_control)
                with self.met(browser, ours):
                    ice_browser.assert_receives(ours, browser)

    def test_ours_with_aioice_and_pion(self):
        for name in ("aioice", "pion"):
            for we_control in (True, False):
                with self.subTest(peer=name, we_control=we_control):
                    ours, theirs = ice_programs.pair(name, we_control, words=("--names",))
                    with self.met(theirs, ours):
                        for sender, receiver in ((ours, theirs), (theirs, ours)):
                            sender.tell(f"send hello of {sender.name}")
                            receiver.wait("received", text=f"hello of {sender.name}")


if __name__ == "__main__":
    relays.enter()
    # Chromium names no host without a default route, aioice joins no group.
    lab.ip("route", "add", "default", "via", relays.SERVER)
    unittest.main()
