# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile-stun` tells each NAT of the lab what it is; the server is coturn with two addresses."""
import json
import os
import shutil
import subprocess
import sys
import time
import unittest

import lab

SECOND_ADDRESS = f"{lab.PUBLIC_PREFIX}.200"
INDEPENDENT, BY_ADDRESS, BY_BOTH = ("endpoint-independent", "address-dependent",
                                    "address-and-port-dependent")
HAIRPIN = """
table ip hairpin {{
  chain prerouting {{ type nat hook prerouting priority -100;
    iifname "lan" ip daddr {outside} udp dport 1024-65535 dnat to {host}; }}
  chain postrouting {{ type nat hook postrouting priority 90;
    oifname "lan" ip saddr {host} snat to {outside}; }}
}}
"""


def program():
    return os.path.join(os.environ.get("STILE_BIN", ""), "stile-stun")


class Place:
    """A lab with a server of two addresses and a client behind a NAT of this kind."""

    def __init__(self, network, kind):
        self.server = network.public_host("server")
        lab.ip("-n", "server", "addr", "add", f"{SECOND_ADDRESS}/24", "dev", "eth0")
        self.client = network.host_behind("client", kind)
        self.process = self.server.start(
            ["turnserver", "-n", "--no-cli", "--no-auth", "--no-tls", "--no-dtls", "-L", self.server.address,
             "-L", SECOND_ADDRESS, "--pidfile", "/run/turnserver.pid", "--log-file", "/dev/null"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_server()

    def wait_for_server(self):
        """Until it answers somebody who is not behind the NAT."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            done = self.server.run([program(), "binding", self.server.address, "--timeout", "1s"],
                                   capture_output=True, text=True)
            if done.returncode == 0:
                return
        raise AssertionError(f"the server does not answer: {done.stderr}")

    def ask(self, command, *words, seconds=120):
        return self.client.run([program(), command, self.server.address, "--json", *words],
                               capture_output=True, text=True, timeout=seconds)

    def end(self):
        self.process.terminate()
        self.process.wait(10)


class Classification(unittest.TestCase):
    def place(self, kind):
        network = self.enterContext(lab.Lab())
        place = Place(network, kind)
        self.addCleanup(place.end)
        return place

    def found(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def check_kind(self, kind, nat, mapping, filtering, calls, port_kept=True):
        udp = (report := self.found(self.place(kind).ask("nat")))["udp"]
        self.assertEqual((udp["nat"], udp["mapping"], udp["filtering"], udp["port_kept"], report["calls"]),
                         (nat, mapping, filtering, port_kept, calls), report)
        self.assertEqual(udp["fragments"], "pass", report)
        self.assertEqual(report["tcp"]["nat"], nat, report)
        return report

    def test_no_nat(self):
        self.check_kind("none", False, INDEPENDENT, INDEPENDENT, "direct")

    def test_firewall(self):
        self.check_kind("firewall", False, INDEPENDENT, BY_BOTH, "direct-mostly")

    def test_cone(self):
        self.check_kind("cone", True, INDEPENDENT, INDEPENDENT, "direct")

    def test_address_filter(self):
        self.check_kind("address", True, INDEPENDENT, BY_ADDRESS, "direct-mostly")

    def test_port_filter(self):
        report = self.check_kind("port", True, INDEPENDENT, BY_BOTH, "direct-mostly")
        self.assertEqual(report["tcp"]["mapping"], INDEPENDENT, report)

    def test_symmetric(self):
        report = self.check_kind("symmetric", True, BY_BOTH, BY_BOTH, "relay-often", port_kept=False)
        self.assertEqual(report["tcp"]["mapping"], BY_BOTH, report)

    def test_udp_blocked_but_tcp_not(self):
        report = self.found(self.place("noudp").ask("nat"))
        self.assertIsNone(report["udp"]["mapped"])
        self.assertEqual(report["calls"], "relay-always")
        self.assertTrue(report["tcp"]["nat"])

    def test_nothing_passes(self):
        place = self.place("noudp")
        place.client.router.rules("table ip none { chain forward { type filter hook forward priority -20; "
                                  "policy drop; }; }")
        done = place.ask("nat", "--timeout", "2s")
        self.assertEqual(done.returncode, 7, done.stdout)
        self.assertIn("error", json.loads(done.stdout))

    def test_lifetime(self):
        place = self.place("port")
        for name in ("udp_timeout", "udp_timeout_stream"):
            place.client.router.sysctl(f"net.netfilter.nf_conntrack_{name}", 4)
        report = self.found(place.ask("lifetime", "--first", "2s", "--longest", "16s", "--resolution", "1s"))
        self.assertTrue(report["complete"], report)
        # The kernel forgets up to a second or two late.
        self.assertLessEqual(report["alive_s"], 7, report)
        self.assertGreaterEqual(report["expired_s"], 4, report)

    def test_hairpin(self):
        place = self.place("port")
        self.assertEqual(self.found(place.ask("hairpin"))["hairpin"], "never")
        place.client.router.rules(HAIRPIN.format(outside=place.client.router.address,
                                                 host=place.client.address))
        report = self.found(place.ask("hairpin"))
        self.assertIn(report["hairpin"], ("always", "after-sending"), report)
        self.assertTrue(report["source"].startswith(place.client.router.address), report)


if __name__ == "__main__":
    lab.enter_or_skip()
    if not os.path.exists(program()):
        print("skipped: STILE_BIN names no folder with stile-stun")
        sys.exit(77)
    if not shutil.which("turnserver"):
        print("skipped: the program 'turnserver' is not installed")
        sys.exit(77)
    unittest.main()
