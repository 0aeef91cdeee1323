# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile doctor` says what each network of the lab is and what that means."""
import contextlib
import json
import os
import sys
import unittest

import lab

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

DONE, NO_PATH = 0, 6
MOST_DOCTOR_SECONDS = 12  # ten of the doctor, and the sanitizers'
INDEPENDENT, BY_BOTH = "endpoint-independent", "address-and-port-dependent"


class Network:
    """A server on the public segment, Alice and Bob where they are."""

    def __init__(self, **nats):
        self.nats = nats

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(lab.Lab())
            server = self.lab.public_host("server")
            self.hosts = {name: self.lab.host_behind(name, nat) for name, nat in self.nats.items()}
            # No router of the lab opens ports; to find that out takes seconds.
            self.scene = stack.enter_context(programs.Scene(server, allow_peers="203.0.113.0/24",
                                                            environment={"STILE_PORT_MAPPING": "0"}))
            self.scene.write_config()
            self.scene.start_server()
            self.people = {name: self.scene.login(name, host) for name, host in self.hosts.items()}
            self.folder = os.path.join(self.scene.folder, "shared")
            os.mkdir(self.folder)
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)


class Talking(unittest.TestCase):
    def doctor(self, person, code, **options):
        answer = person.run("doctor", "--json", **options)
        self.assertEqual(answer.code, code, answer)
        self.assertLess(answer.seconds, MOST_DOCTOR_SECONDS, answer)
        report = json.loads(answer.out)
        self.assertEqual(report["exit"], code, answer)
        for finding in report["findings"]:
            if finding["level"] == "bad":
                self.assertTrue(finding["fix"], finding)
        return report

    def topic(self, report, topic):
        found = [finding for finding in report["findings"] if finding["topic"] == topic]
        self.assertEqual(len(found), 1, report)
        return found[0]


class Doctor(Talking):
    def test_no_nat(self):
        with Network(alice="none") as network:
            alice = network.people["alice"]
            report = self.doctor(alice, DONE)
            self.assertEqual(report["calls"], "direct-mostly", report)  # one server does not show more
            self.assertEqual(report["nat"]["mapping"], INDEPENDENT, report)
            self.assertTrue(report["relay"]["returned"], report)
            for topic in ("UDP", "TCP", "HTTPS", "SIP", "Relay", "Clock"):
                self.assertEqual(self.topic(report, topic)["level"], "good", report)
            self.assertIn("no NAT", self.topic(report, "UDP")["found"])
            text = alice.run("doctor")
            self.assertRegex(text.out, r"(?m)^✓ UDP +works, .*no NAT")
            self.assertRegex(text.out, r"(?m)^Verdict: direct")

    def test_each_nat_is_what_it_is_by_a_server_with_one_address(self):
        for kind, mapping, filtering, calls in (("port", None, BY_BOTH, "direct-mostly"),
                                                ("symmetric", BY_BOTH, BY_BOTH, "relay-often")):
            with self.subTest(kind), Network(alice=kind) as network:
                report = self.doctor(network.people["alice"], DONE)
                self.assertEqual((report["nat"]["mapping"], report["nat"]["filtering"], report["calls"]),
                                 (mapping, filtering, calls), report)
                self.assertTrue(report["relay"]["returned"], report)
                self.assertIn("behind a NAT", self.topic(report, "UDP")["found"])

    def test_udp_blocked(self):
        with Network(alice="noudp") as network:
            report = self.doctor(network.people["alice"], DONE)
            self.assertEqual(report["calls"], "relay-always", report)
            self.assertRegex(report["verdict"], "^works, slower: .* relay over T(CP|LS)$")
            udp = self.topic(report, "UDP")
            self.assertEqual(udp["level"], "note", report)
            self.assertIn("UDP does not get out", udp["means"])
            self.assertIn("let UDP out", udp["fix"])
            self.assertEqual(self.topic(report, "Relay")["level"], "good", report)
            self.assertIn(report["stream_relay"]["transport"], ("tcp", "tls"), report)
            self.assertNotIn("bad", [finding["level"] for finding in report["findings"]], report)

    def test_server_down(self):
        with Network(alice="port") as network:
            network.scene.server.kill()
            report = self.doctor(network.people["alice"], NO_PATH)
            for topic in ("HTTPS", "SIP"):
                self.assertIn("start stiled", self.topic(report, topic)["fix"])
            self.assertEqual(self.topic(report, "UDP")["level"], "bad", report)

    def test_nobody_logged_in(self):
        with Network(alice="port") as network:
            stranger = programs.Person(network.scene, "stranger", network.hosts["alice"])
            report = self.doctor(stranger, DONE)
            self.assertIn("stile login", self.topic(report, "Server")["fix"])
            asked = stranger.run("doctor", "--json", "--stun", network.scene.place.address)
            self.assertEqual(asked.code, DONE, asked)
            self.assertIn("behind a NAT", self.topic(json.loads(asked.out), "UDP")["found"])


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main()
