# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Our ICE with Chromium's, in each role, with all candidates and with none but relays of ours and of coturn."""
import os
import unittest
from unittest import mock

import ice_browser
import ice_peers
import lab
import programs
import relay_servers as relays

DTLS_HANDSHAKE = "\x16"


@programs.needs("chromium")
class Browser(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())

    def connect(self, we_control, relay_only=False):
        """Both ends, connected, when our side got what Chromium sends first on a new path."""
        server = f"{relays.SERVER}:{relays.PORT}"
        words = ["--bind", relays.CLIENT, "--patience-ms", 500, "--relayed-patience-ms", 500]
        browser_words = {}
        if relay_only:
            words += ["--relay-only", "--turn", f"{server},{relays.USER},{relays.PASSWORD}"]
            browser_words = {"turn": f"turn:{server}", "user": relays.USER, "password": relays.PASSWORD,
                             "relay_only": True}
        browser = ice_browser.BrowserPeer(self.world, not we_control, **browser_words)
        ours = ice_peers.Peer(ice_peers.ours(*words), we_control, name="ours")
        for one in (ours, browser):
            self.addCleanup(one.close)
        begin = ice_peers.signal(ours, browser)
        for one in (ours, browser):
            one.wait_for_state("completed")
        route = ours.last("selected")
        self.assertEqual(route["kind"], "relayed" if relay_only else "direct", ours.story())
        self.assertTrue(ours.wait("received")["text"].startswith(DTLS_HANDSHAKE), ours.story())
        roles = ["controlling", "controlled"] if we_control else ["controlled", "controlling"]
        self.assertEqual([ours.last("state")["role"], browser.traffic()["role"]], roles)
        ice_browser.assert_receives(ours, browser)
        print(f"chromium  {'we control' if we_control else 'they control':<14}"
              f"{(ours.all('selected')[0]['at'] - begin) * 1000:6.0f} ms  {route['local_type']}/{route['remote_type']}",
              flush=True)
        return ours, browser

    def test_all_candidates(self):
        for we_control in (True, False):
            with self.subTest(we_control=we_control):
                self.connect(we_control)

    def check_relayed(self, server):
        with mock.patch.dict(os.environ, STILE_TEST_RELAY=server):
            relay = relays.Relay(self.world)
        for we_control in (True, False):
            with self.subTest(we_control=we_control):
                self.connect(we_control, relay_only=True)
        self.assertTrue(relay.is_running(), "the server ended")

    def test_our_relay_alone(self):
        self.check_relayed("")

    @programs.needs("turnserver")
    def test_coturn_alone(self):
        self.check_relayed("coturn")


if __name__ == "__main__":
    relays.enter()
    # Without one it names no host: it looks for the address that leads out.
    lab.ip("route", "add", "default", "via", relays.SERVER)
    unittest.main()
