# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Sessions with aioice, libnice, pion and Chromium live on consent alone, and end with it (RFC 7675)."""
import time
import unittest

import ice_browser
import ice_peers
import ice_programs
import programs
import relay_servers as relays

KEPT = 40  # seconds: longer than a consent is good for
EXPIRES = 30


class Consent(unittest.TestCase):
    def pairs(self, world):
        made = []
        for we_control in (True, False):
            names = [name for name in ice_programs.NAMES if not ice_programs.missing(name)]
            others = [ice_programs.start(name, not we_control, address=relays.SECOND_CLIENT) for name in names]
            others.append(ice_browser.BrowserPeer(world, not we_control))
            for other in others:
                ours = ice_peers.Peer(ice_peers.ours("--bind", relays.CLIENT, "--patience-ms", 300), we_control,
                                      name=f"ours of {other.name}")
                made.append((ours, other))
        return made

    @programs.needs("chromium")
    def test_consent_is_kept_and_its_end_is_noticed(self):
        world = self.enterContext(programs.World())
        pairs = self.pairs(world)
        for ours, theirs in pairs:
            self.addCleanup(ours.close)
            if isinstance(theirs, ice_browser.BrowserPeer):
                self.addCleanup(theirs.close)
            ice_peers.signal(ours, theirs)
        for pair in pairs:
            for one in pair:
                one.wait_for_state("completed")
        time.sleep(KEPT)
        for ours, theirs in pairs:
            with self.subTest(ours.name, role=ours.last("state")["role"]):
                for one in (ours, theirs):
                    self.assertFalse(one.all("lost") or one.all("state", state="failed"), one.story())
                if isinstance(theirs, ice_browser.BrowserPeer):
                    self.assertIn(theirs.traffic()["state"], ("connected", "completed"))
                    continue
                for sender, receiver in ((ours, theirs), (theirs, ours)):
                    sender.tell("send still here")
                    receiver.wait("received", text="still here")
        gone = time.monotonic()
        for _, theirs in pairs:
            theirs.kill()
        for ours, _ in pairs:
            with self.subTest(ours.name):
                lost = ours.wait("lost", EXPIRES + 10)["at"] - gone
                print(f"{ours.name:<26} {ours.last('state')['role']:<12} lost after {lost:4.1f} s", flush=True)
                # The latest answer may be as old as the longest time between two requests.
                self.assertLess(lost, EXPIRES + 1)
                self.assertGreater(lost, EXPIRES - 7)


if __name__ == "__main__":
    relays.enter()
    unittest.main()
