# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile get` where UDP does not pass: over TCP, over a relay's TCP or TLS, through an HTTP proxy."""
import contextlib
import os
import re
import sys
import time
import unittest

import lab
import proxy_test
from proxy_test import ALL_PORTS, ONLY

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "main_job"))
import programs  # noqa: E402

OBJECT_OCTETS = 3_000_000

# Beside signalling and login, which have ports of their own.
ONLY_443 = ONLY.format(rule="tcp dport { 443, 5061, 8443 }")
NO_RELAY = """
table ip norelay {
  chain forward { type filter hook forward priority -15; tcp dport { 443, 3478 } drop; }
}
"""


class Network:
    """The server on the public segment, Alice's share and Bob where they are. What routers let out is
    said by rules, after the kind of each."""

    def __init__(self, alice, bob, rules=()):
        self.natures = alice, bob
        self.rules = dict(rules)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(lab.Lab())
            server = self.lab.public_host("server")
            self.hosts = {name: self.lab.host_behind(name, nat)
                          for name, nat in zip(("alice", "bob"), self.natures)}
            for name, rules in self.rules.items():
                self.hosts[name].router.rules(rules)
            # No router of the lab opens ports; to find that out takes seconds.
            self.scene = stack.enter_context(programs.Scene(server, allow_peers="203.0.113.0/24",
                                                            environment={"STILE_PORT_MAPPING": "0"}))
            self.scene.write_config(dict(ALL_PORTS, turns=443))
            self.scene.start_server()
            self.alice, self.bob = (self.scene.login(name, self.hosts[name]) for name in ("alice", "bob"))
            share_object(self)
            self.closing = stack.pop_all()
        return self

    def __exit__(self, *reason):
        return self.closing.__exit__(*reason)


def share_object(network):
    folder = os.path.join(network.scene.folder, "shared")
    os.mkdir(folder)
    network.object = os.path.join(folder, "object")
    with open(network.object, "wb") as file:
        file.write(os.urandom(OBJECT_OCTETS))
    network.share = network.alice.share(folder)


class WithoutUdp(unittest.TestCase):
    def fetch(self, network, path):
        target = os.path.join(network.scene.folder, "fetched")
        words = ("get", "alice@example.org/object", "-o", target)
        begin = time.monotonic()
        get = network.bob.start(*words)
        part = target + ".part"
        programs.until(lambda: any(os.path.exists(at) and os.path.getsize(at) > 0 for at in (part, target)), 30,
                       f"the first byte:\n{get.text()}\n{network.share.text()}")
        first = time.monotonic() - begin
        self.assertEqual(get.process.wait(60), 0, get.text())
        whole = time.monotonic() - begin
        self.assertEqual(programs.sha256_of_file(target), programs.sha256_of_file(network.object))
        taken = re.search(r"^Path +(.*)$", get.text(), re.M).group(1)
        print(f"  {self.id().split('.')[-1]}: {taken}; first byte after {first:.2f} s, all after {whole:.2f} s",
              flush=True)
        self.assertRegex(taken, path)

    def test_udp_blocked_on_one_side(self):
        for natures in (("noudp", "port"), ("port", "noudp")):
            with self.subTest(natures=natures), Network(*natures) as network:
                self.fetch(network, "^(direct|relayed) ")

    def test_udp_blocked_on_both_sides(self):
        with Network("noudp", "noudp") as network:
            self.fetch(network, "^(direct|relayed) .*over TCP")

    def test_without_udp_and_relay_the_reachable_is_reached_by_tcp(self):
        with Network("none", "noudp", {"bob": NO_RELAY}) as network:
            self.fetch(network, "^direct .*over TCP")

    def test_port_443_alone_is_relayed_over_tls(self):
        with Network("port", "port", {"bob": ONLY_443}) as network:
            self.fetch(network, "^relayed .*:443 over TLS")

    def test_port_443_alone_on_both_sides_is_relayed_over_tls(self):
        with Network("port", "port", {"alice": ONLY_443, "bob": ONLY_443}) as network:
            self.fetch(network, "^relayed .*:443 over TLS")

    def test_an_http_proxy_is_the_only_way_out(self):
        for login in (None, "bob:open-sesame"):
            with self.subTest(login=login), proxy_test.Proxied(login, login) as network:
                share_object(network)
                self.fetch(network, "^relayed .*over TCP")
                self.assertRegex(network.proxy.text(), r"CONNECT 203\.0\.113\.\d+:(3478|5349) ")


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main(verbosity=2)
