# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Our ICE with aioice, libnice and pion behind real kernels' NATs, with our relay or coturn for both sides."""
import concurrent.futures
import contextlib
import os
import unittest

import ice_peers
import ice_programs
import lab
import programs
import topologies

SERVER = f"{topologies.SERVER}:{topologies.PORT}"
# Our NAT, theirs, and who controls.
PLACES = (("port", "port", True), ("port", "port", False), ("symmetric", "port", True), ("port", "symmetric", False))
RELAYED = PLACES[2:]
AT_ONCE = 6


class Nat(unittest.TestCase):
    def meet(self, place, name, we_control, expected):
        ours_at, theirs_at = place
        theirs = ice_programs.start(name, not we_control, stun=SERVER, turn=SERVER, user=topologies.USER,
                                    password=topologies.PASSWORD, host=theirs_at)
        ours = ice_peers.Peer(ice_peers.ours("--stun", SERVER, "--turn", f"{SERVER},{topologies.USER},"
                                             f"{topologies.PASSWORD}", "--patience-ms", 500, "--relayed-patience-ms", 1500),
                              we_control, host=ours_at, name="ours")
        try:
            begin = ice_peers.signal_complete(ours, theirs)
            for one in (ours, theirs):
                one.wait_for_state("completed")
                one.wait("selected")
            for sender, receiver in ((ours, theirs), (theirs, ours)):
                sender.tell(f"send hello of {sender.name}")
                receiver.wait("received", text=f"hello of {sender.name}")
            route = ours.last("selected")
            line = (f"{name:<8}{'we control' if we_control else 'they control':<14}{expected:<9}{route['kind']:<9}"
                    f"{(ours.all('selected')[0]['at'] - begin) * 1000:6.0f} ms  "
                    f"{route['local_type']}/{route['remote_type']}")
            # Who controls may nominate what works first (RFC 8445 Section 8.1.1), and aioice does.
            first_wins = name == "aioice" and not we_control
            return line, route["kind"] == expected or first_wins or f"{ours.story()}\n{theirs.story()}"
        except AssertionError as error:
            ours.tell("pairs")
            with contextlib.suppress(AssertionError):
                ours.wait("pairs", 5)
            return f"{name} {place} {'we' if we_control else 'they'} control", f"{error}\n{ours.story()}\n{theirs.story()}"
        finally:
            ours.close()
            theirs.close()

    def check(self, places, serve):
        names = [name for name in ("aioice", "libnice", "pion") if not ice_programs.missing(name)]
        if not names:
            self.skipTest("not installed: python3-aioice, libnice-dev, golang-github-pion-ice.v2-dev")
        for name in names:
            if name != "aioice":
                ice_programs.compiled("pion_peer" if name == "pion" else "nice_peer")
        with programs.World() as started, topologies.World() as world:
            cases = [((world.home(left), world.home(right)), name, we_control, topologies.meet(left, right))
                     for name in names for left, right, we_control in places]
            world.route_all()
            serve(world, started)
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                outcomes = list(pool.map(lambda case: self.meet(*case), cases))
        for line, _ in outcomes:
            print(line, flush=True)
        for line, right in outcomes:
            with self.subTest(line):
                self.assertIs(right, True, right)

    def test_our_relay(self):
        turnd = os.path.join(os.environ["STILE_BIN"], "stile-turnd")
        self.check(PLACES, lambda world, started: world.serve(started, turnd))

    @programs.needs("turnserver")
    def test_coturn(self):
        self.check(RELAYED, lambda world, started: world.serve_coturn(started))


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main()
