# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile why` says how a peer was reached and why not otherwise, between real NATs."""
import json
import unittest

import lab
from doctor_test import DONE, Network


class Asking(unittest.TestCase):
    def why(self, person, peer, code=DONE, seconds=60):
        answer = person.run("why", peer, "--json", seconds=seconds)
        self.assertEqual(answer.code, code, answer)
        return json.loads(answer.out)


class Why(Asking):
    def test_direct(self):
        with Network(alice="none", bob="port") as network:
            network.people["alice"].share(network.folder)
            bob = network.people["bob"]
            report = self.why(bob, "alice@example.org")
            self.assertEqual(report["outcome"], "direct", report)
            self.assertTrue(any(pair["selected"] for pair in report["pairs"]), report)
            asked = [source for source in report["asked"] if source["transport"] == "udp"]
            self.assertTrue(asked, report)
            self.assertTrue(all(source["outcome"] == "answered" for source in asked), report)
            took = {phase["phase"]: phase["took_ms"] for phase in report["phases"]}
            self.assertEqual(set(took), {"server", "gathering", "signalling", "checks", "handshake", "first byte"})
            self.assertTrue(all(time >= 0 for time in took.values()), took)
            # Without a name: whom one met last.
            text = bob.run("why")
            self.assertEqual(text.code, DONE, text)
            self.assertRegex(text.out, r"(?m)^Verdict +direct: ")
            self.assertRegex(text.out, r"(?m)^Took +server .*, handshake .*, first byte .*: \d+ ms in all$")

    def test_two_nats_that_exclude_each_other(self):
        with Network(alice="port", bob="symmetric") as network:
            network.people["alice"].share(network.folder)
            report = self.why(network.people["bob"], "alice@example.org")
            self.assertEqual(report["outcome"], "relayed", report)
            self.assertEqual(report["obstacle"], "ours-maps-theirs-filters", report)
            self.assertIn("your NAT maps per destination and theirs filters by port", report["verdict"])
            self.assertIn("direct is impossible over IPv4", report["verdict"])

    def test_nobody_there(self):
        with Network(bob="port") as network:
            answer = network.people["bob"].run("why", "carol@example.org", "--json")
            self.assertEqual(answer.code, 3, answer)
            report = json.loads(answer.out)
            self.assertEqual(report["outcome"], "not-met", report)
            self.assertIn("no carol@example.org", report["error"]["what"])


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main()
