# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Two machines on one link that hide their addresses: multicast DNS makes them meet, and without it the relay does."""
import contextlib
import json
import os
import re
import sys
import unittest

import lab
import topologies

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

# Nothing of multicast DNS reaches this host.
DEAF = """
table inet deaf {
  chain input { type filter hook input priority 0; policy accept; udp dport 5353 drop; }
}
"""


class Link:
    """Alice and Bob behind one NAT that maps per destination and does not turn packets round."""

    def __init__(self, rules=""):
        self.rules = rules

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            world = stack.enter_context(topologies.World())
            router = world.router("symmetric")
            alice, bob = world.inside(router), world.inside(router)
            alice.rules(self.rules)
            environment = {"STILE_HIDE_ADDRESSES": "1", "STILE_PORT_MAPPING": "0"}
            scene = stack.enter_context(
                programs.Scene(world.server, environment=environment, allow_peers="203.0.113.0/24"))
            scene.write_config()
            scene.start_server()
            self.alice, self.bob = scene.login("alice", alice), scene.login("bob", bob)
            folder = os.path.join(scene.folder, "shared")
            os.mkdir(folder)
            with open(os.path.join(folder, "note.txt"), "wb") as file:
                file.write(b"on the same link\n" * 100_000)
            self.alice.share(folder)
            self.target = os.path.join(scene.folder, "note.txt")
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)

    def why(self):
        answer = self.bob.run("why", "--json", "alice@example.org")
        return json.loads(answer.out)


class HiddenAddresses(unittest.TestCase):
    def test_names_are_found_on_the_link(self):
        with Link() as link:
            report = link.why()
            self.assertEqual(report["outcome"], "direct", report)
            self.assertRegex(json.dumps(report["theirs"]), r"10\.1\.0\.2")
            self.assertEqual(report["unresolved"], [], report)
            answer = link.bob.run("get", "alice@example.org/note.txt", "-f", "-o", link.target)
            self.assertEqual(answer.code, 0, answer)
            self.assertRegex(answer.err, r"Path +direct")

    def test_without_multicast_the_relay_serves_and_no_address_is_told(self):
        with Link(DEAF) as link:
            report = link.why()
            self.assertEqual(report["outcome"], "relayed", report)
            hosts = [one for one in report["theirs"] if one["type"] == "host"]
            self.assertEqual(hosts, [], report)
            self.assertTrue(report["unresolved"], report)
            for name in report["unresolved"]:
                self.assertTrue(re.fullmatch(r"[0-9a-f-]{36}\.local", name), report)


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
