# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A router that forgets its mappings, as one does that restarts, in the middle of a session."""
import os
import shutil
import sys
import time
import unittest

import lab
import paths
import topologies

LASTING = 3  # seconds for which data has to go on


class Flush(unittest.TestCase):
    def session(self, *natures):
        started = self.enterContext(paths.programs.World())
        world = self.enterContext(topologies.World())
        hosts = [world.home(nature) for nature in natures]
        world.route_all()
        world.serve(started, os.path.join(os.environ["STILE_BIN"], paths.TURND))
        session = self.enterContext(paths.Session(world, hosts))
        for one in session.peers:
            one.wait_for_state("completed")
        return hosts, session.peers

    @staticmethod
    def flush(host):
        host.router.run(["conntrack", "-F"], check=True, capture_output=True)

    def talk(self, peers, text):
        """Both send; how long it took until both had something of the other, or None."""
        begin = time.monotonic()
        places = [len(one.events) for one in peers]
        while time.monotonic() < begin + LASTING:
            for one in peers:
                one.tell(f"send {text}")
            time.sleep(0.05)
            if all(one.all("received", since=at, text=text) for one, at in zip(peers, places)):
                return time.monotonic() - begin
        return None

    def test_ports_that_are_preserved_come_back_with_the_next_datagrams(self):
        hosts, peers = self.session("port", "port")
        self.assertIsNotNone(self.talk(peers, "before"))
        for host in hosts:
            self.flush(host)
        took = self.talk(peers, "after")
        self.assertIsNotNone(took, "\n".join(one.story() for one in peers))
        self.assertFalse([one for one in peers if one.all("lost") or one.all("failed")])
        print(f"port × port, both flushed: data after {took * 1000:.0f} ms", flush=True)

    def check_restart(self, *natures):
        hosts, peers = self.session(*natures)
        self.assertIsNotNone(self.talk(peers, "before"))
        self.flush(hosts[0])
        places = [len(one.events) for one in peers]
        begin = time.monotonic()
        peers[0].tell("restart")
        for one, at in zip(peers, places):
            one.wait_for_state("completed", since=at)
        self.assertIsNotNone(self.talk(peers, "after"), "\n".join(one.story() for one in peers))
        print(f"{' × '.join(natures)}, the first flushed and restarted: data both ways after "
              f"{(time.monotonic() - begin) * 1000:.0f} ms, {peers[0].last('selected')['kind']}", flush=True)

    def test_a_restart_finds_the_new_mapping_of_a_direct_path(self):
        self.check_restart("symmetric", "none")

    def test_a_restart_finds_a_path_where_the_way_to_the_relay_is_another(self):
        self.check_restart("symmetric", "port")


if __name__ == "__main__":
    lab.enter_or_skip()
    if not shutil.which("conntrack"):
        print("skipped: the program 'conntrack' is not installed")
        sys.exit(77)
    unittest.main()
