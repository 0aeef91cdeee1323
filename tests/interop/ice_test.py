# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Our ICE with aioice, libnice and pion, in each role: host to host, and through our relay and coturn."""
import os
import unittest
from unittest import mock

import ice_peers
import ice_programs
import programs
import relay_servers as relays


class Interop(unittest.TestCase):
    def relay(self, server):
        world = self.enterContext(programs.World())
        with mock.patch.dict(os.environ, STILE_TEST_RELAY=server):
            return relays.Relay(world)

    def meet(self, name, we_control, relay_only=False, they_control=None):
        """Ours and theirs, signalled."""
        ours, theirs = ice_programs.pair(name, we_control, relay_only, they_control)
        for one in (ours, theirs):
            self.addCleanup(one.close)
        begin = ice_peers.signal_complete(ours, theirs)
        return ours, theirs, begin

    def exchange(self, ours, theirs):
        """Whoever is completed sends; the other gets it."""
        for one in (ours, theirs):
            one.wait_for_state("completed")
            one.wait("selected")
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            for number in range(3):
                text = f"number {number} of {sender.name}"
                sender.tell(f"send {text}")
                receiver.wait("received", text=text)

    def check(self, name, we_control, relay_only=False, server=""):
        ours, theirs, begin = self.meet(name, we_control, relay_only)
        self.exchange(ours, theirs)
        route = ours.last("selected")
        self.assertEqual(route["kind"], "relayed" if relay_only else "direct", ours.story())
        self.assertEqual(ours.last("state")["role"], "controlling" if we_control else "controlled")
        print(f"{name:<20} {'we control' if we_control else 'they control':<14}{server or 'host':<8}"
              f"{(ours.all('selected')[0]['at'] - begin) * 1000:6.0f} ms  {route['local_type']}/{route['remote_type']}",
              flush=True)

    def each(self, **options):
        for name in ice_programs.NAMES:
            for we_control in (True, False):
                with self.subTest(peer=name, we_control=we_control):
                    self.check(name, we_control, **options)

    def test_host_to_host(self):
        self.each()

    def test_through_our_relay_alone(self):
        self.relay("")
        self.each(relay_only=True, server="turnd")

    @programs.needs("turnserver")
    def test_through_coturn_alone(self):
        self.relay("coturn")
        self.each(relay_only=True, server="coturn")

    def test_libnice_follows_a_renomination(self):
        # It has more addresses; the better ones are told once a pair has been nominated.
        theirs = ice_programs.start("libnice-renomination", False)
        ours = ice_peers.Peer(ice_peers.ours("--bind", relays.CLIENT, "--patience-ms", 0), True, name="ours")
        for one in (ours, theirs):
            self.addCleanup(one.close)
            one.wait("end-of-candidates")
        lines = [event["line"] for event in theirs.all("candidate") if " 198.18.0." in event["line"]]
        lines.sort(key=lambda line: int(line.split()[3]))
        self.assertGreater(len(lines), 1, theirs.story())
        ours.trickle_to(theirs)
        described = theirs.last("description")
        ours.tell("a=ice-options:trickle renomination", f"a=ice-ufrag:{described['ufrag']}",
                  f"a=ice-pwd:{described['pwd']}", lines[0])
        ours.wait_for_state("completed")
        begin = ours.last("selected")["remote"]
        ours.tell(*lines[1:])
        best = ":".join(lines[-1].split()[4:6])
        self.assertNotEqual(begin, best, ours.story())
        ours.wait("selected", remote=best)
        theirs.wait("selected", local=best)
        ours.tell("send after the renomination")
        theirs.wait("received", text="after the renomination")
        theirs.tell("send and back")
        ours.wait("received", text="and back")
        self.assertFalse(ours.all("lost"), ours.story())
        self.assertEqual(theirs.last("selected")["local"], best, theirs.story())
        print(f"libnice follows: {begin}, then {best}", flush=True)

    def test_both_believe_to_control_or_neither(self):
        # pion never changes its role, so that half of the attempts fail: docs/protocols/ice.md.
        for name in ("aioice", "libnice", "libnice-aggressive"):
            for role in (True, False):
                with self.subTest(peer=name, both_control=role):
                    ours, theirs, _ = self.meet(name, role, they_control=role)
                    self.exchange(ours, theirs)
                    roles = [one.last("state")["role"] for one in (ours, theirs)]
                    print(f"{name:<20} both {'controlling' if role else 'controlled'}: ours is {roles[0]} now", flush=True)
                    if name == "aioice":  # the others tell the role that they began with
                        self.assertEqual(sorted(roles), ["controlled", "controlling"])


if __name__ == "__main__":
    relays.enter()
    unittest.main()
