# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile doctor` and `stile why` where their answers take a while."""
import unittest

import lab
from doctor_test import NO_PATH, Network, Talking
from why_test import Asking


class Why(Asking):
    def test_the_same_from_the_other_side(self):
        with Network(alice="symmetric", bob="port") as network:
            network.people["alice"].share(network.folder)
            report = self.why(network.people["bob"], "alice@example.org")
            self.assertEqual(report["outcome"], "relayed", report)
            self.assertEqual(report["obstacle"], "theirs-maps-ours-filters", report)

    def test_udp_blocked(self):
        with Network(alice="none", bob="noudp") as network:
            network.people["alice"].share(network.folder)
            report = self.why(network.people["bob"], "alice@example.org")
            self.assertIn(report["outcome"], ("relayed", "direct"), report)
            self.assertEqual(report["asked"][0]["outcome"], "silent", report)


class Doctor(Talking):
    def test_a_network_that_swallows_everything(self):
        with Network(alice="port") as network:
            network.hosts["alice"].router.rules(
                "table ip hole { chain forward { type filter hook forward priority -20; policy drop; }; }")
            report = self.doctor(network.people["alice"], NO_PATH)
            for topic in ("UDP", "HTTPS", "SIP"):
                self.assertEqual(self.topic(report, topic)["level"], "bad", report)


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main()
