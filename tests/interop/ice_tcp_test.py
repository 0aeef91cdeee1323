# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Our ICE with a libnice that has nothing but TCP, in each role: direct, and by TCP allocations of our relay and of coturn."""
import os
import unittest
from unittest import mock

import ice_peers
import ice_programs
import programs
import relay_servers as relays


class Interop(unittest.TestCase):
    def check(self, we_control, words, expected, server="host"):
        theirs = ice_programs.start("libnice", not we_control, address=relays.SECOND_CLIENT, tcp_alone=True)
        ours = ice_peers.Peer(ice_peers.ours("--bind", relays.CLIENT, "--tcp", *words), we_control, name="ours")
        for one in (ours, theirs):
            self.addCleanup(one.close)
        begin = ice_peers.signal(ours, theirs)
        for one in (ours, theirs):
            one.wait_for_state("completed")
            one.wait("selected")
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            for number in range(3):
                text = f"number {number} of {sender.name}"
                sender.tell(f"send {text}")
                receiver.wait("received", text=text)
        route = ours.last("selected")
        self.assertEqual((route["kind"], route["transport"]), (expected, "tcp"), ours.story())
        print(f"libnice over TCP  {'we control' if we_control else 'they control':<14}{server:<8}"
              f"{(ours.all('selected')[0]['at'] - begin) * 1000:6.0f} ms  {route['local_type']}/{route['remote_type']}",
              flush=True)

    def each(self, words, expected, **options):
        for we_control in (True, False):
            with self.subTest(we_control=we_control):
                self.check(we_control, words, expected, **options)

    def relayed_by(self, server):
        world = self.enterContext(programs.World())
        with mock.patch.dict(os.environ, STILE_TEST_RELAY=server):
            relays.Relay(world)
        relay = f"{relays.SERVER}:{relays.PORT},{relays.USER},{relays.PASSWORD}"
        self.each(["--relay-only", "--turn-tcp", relay], "relayed", server=server or "turnd")

    def test_direct(self):
        self.each([], "direct")

    def test_by_our_relay(self):
        self.relayed_by("")

    @programs.needs("turnserver")
    def test_by_coturn(self):
        self.relayed_by("coturn")


if __name__ == "__main__":
    relays.enter()
    unittest.main()
