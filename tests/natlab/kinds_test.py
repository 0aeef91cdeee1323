# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Every NAT of the lab behaves as its name in RFC 4787's terms says, measured by plain datagrams."""
import json
import subprocess
import sys
import unittest

import lab

# Sends from one socket to each address given and prints, after each line read from standard input,
# what has arrived: the sender's addresses.
CLIENT = """
import json, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 4000))
s.settimeout(0.3)
for line in sys.stdin:
    what, *rest = line.split()
    if what == "send":
        s.sendto(b"hello", (rest[0], int(rest[1])))
    else:
        heard = []
        try:
            while True:
                heard.append(s.recvfrom(100)[1])
        except TimeoutError:
            pass
        print(json.dumps(heard), flush=True)
"""
# Binds the ports given; "heard" prints who sent to each, "send PORT HOST PORT" sends from one of them.
SERVER = """
import json, socket, sys
sockets = {}
for port in map(int, sys.argv[1:]):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    s.settimeout(0.3)
    sockets[port] = s
print("ready", flush=True)
for line in sys.stdin:
    what, *rest = line.split()
    if what == "send":
        sockets[int(rest[0])].sendto(b"hello", (rest[1], int(rest[2])))
    else:
        try:
            print(json.dumps(sockets[int(rest[0])].recvfrom(100)[1]), flush=True)
        except TimeoutError:
            print("null", flush=True)
"""


class Program:
    def __init__(self, host, source, *arguments):
        self.process = host.start([sys.executable, "-u", "-c", source, *arguments], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def ask(self, *words):
        self.tell(*words)
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def classify(kind):
    """(mapping, filtering) of the kind, or None where UDP does not pass."""
    with lab.Lab() as network:
        first = network.public_host("first")
        second = network.public_host("second")
        client = network.host_behind("client", kind)
        servers = {host: Program(host, SERVER, "5000", "5001") for host in (first, second)}
        for server in servers.values():
            server.process.stdout.readline()
        probe = Program(client, CLIENT)
        try:
            probe.tell("send", first.address, 5000)
            mapped = servers[first].ask("heard", 5000)
            if not mapped:
                return None
            # Filtering first: nothing was sent to the second host or the other port yet.
            servers[second].tell("send", 5000, *mapped)
            servers[first].tell("send", 5001, *mapped)
            heard = [tuple(sender) for sender in probe.ask("heard")]
            filtering = ("endpoint-independent" if (second.address, 5000) in heard else
                         "address-dependent" if (first.address, 5001) in heard else
                         "address and port-dependent")
            probe.tell("send", second.address, 5000)
            other_host = servers[second].ask("heard", 5000)
            probe.tell("send", first.address, 5001)
            other_port = servers[first].ask("heard", 5001)
            mapping = ("endpoint-independent" if other_host == mapped == other_port else
                       "address and port-dependent")
            return mapping, filtering
        finally:
            probe.end()
            for server in servers.values():
                server.end()


class Kinds(unittest.TestCase):
    def test_every_kind_is_what_it_is_called(self):
        independent, dependent = "endpoint-independent", "address and port-dependent"
        for kind, expected in {
            "none": (independent, independent),
            "firewall": (independent, dependent),
            "cone": (independent, independent),
            "address": (independent, "address-dependent"),
            "port": (independent, dependent),
            "symmetric": (dependent, dependent),
            "noudp": None,
        }.items():
            with self.subTest(kind):
                self.assertEqual(classify(kind), expected)

    def test_the_icmp_kind_loses_its_port_to_a_peer_that_sends_first(self):
        self.assertEqual(classify("icmp"), ("address and port-dependent", "address and port-dependent"))


if __name__ == "__main__":
    lab.enter_or_skip()
    unittest.main()
