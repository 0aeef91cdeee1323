# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A router's port mapping by PCP (RFC 6887) or NAT-PMP (RFC 6886): grants all, and forwards by nftables.

    pcp_gateway.py LAN_ADDRESS EXTERNAL_ADDRESS pcp|nat-pmp|silent

Runs on a router of the lab. After each change it prints the mappings as JSON: protocol and outside port to
inside address.
"""
import ipaddress
import json
import signal
import socket
import struct
import subprocess
import sys
import time

SERVER_PORT = 5351
FIRST_PORT = 40_000


class Gateway:
    def __init__(self, lan, external, dialect):
        self.lan, self.external, self.dialect = lan, ipaddress.ip_address(external), dialect
        self.started = time.monotonic()
        self.ports = {}  # (protocol, inside address, inside port) to outside port

    def epoch(self):
        return int(time.monotonic() - self.started)

    def keep(self, key, lifetime):
        if lifetime == 0:
            self.ports.pop(key, None)
            outside = 0
        else:
            outside = self.ports.setdefault(key, FIRST_PORT + len(self.ports))
        self.forward()
        return outside

    def forward(self):
        rules = "".join(f'iifname "wan" {"udp" if protocol == 17 else "tcp"} dport {outside} dnat to {host}:{port}\n'
                        for (protocol, host, port), outside in self.ports.items())
        # A table's lines replace the old ones at once.
        text = ("table ip mapped {}\ndelete table ip mapped\n"
                f"table ip mapped {{\nchain prerouting {{\ntype nat hook prerouting priority -110;\n{rules}}}\n}}\n")
        subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)
        print(json.dumps({f"{'udp' if protocol == 17 else 'tcp'} {outside}": f"{host}:{port}"
                          for (protocol, host, port), outside in self.ports.items()}), flush=True)

    def answer(self, request, sender):
        if self.dialect == "silent" or len(request) < 2:
            return None
        if request[0] == 2 and self.dialect == "pcp":
            return self.answer_pcp(request, sender)
        if request[0] == 0:
            return self.answer_nat_pmp(request, sender)
        # RFC 6886 Section 3.5: an unsupported version.
        return struct.pack("!BBHI", 0, request[1] | 0x80, 1, self.epoch())

    def answer_pcp(self, request, sender):
        _, operation, _, lifetime = struct.unpack_from("!BBHI", request)
        nonce, protocol, inside = request[24:36], request[36], struct.unpack_from("!H", request, 40)[0]
        outside = self.keep((protocol, sender, inside), lifetime)
        return (struct.pack("!BBBBII12x", 2, operation | 0x80, 0, 0, lifetime, self.epoch()) + nonce
                + struct.pack("!B3xHH", protocol, inside, outside) + bytes(10) + b"\xff\xff" + self.external.packed)

    def answer_nat_pmp(self, request, sender):
        operation = request[1]
        head = struct.pack("!BBHI", 0, operation | 0x80, 0, self.epoch())
        if operation == 0:
            return head + self.external.packed
        inside, _, lifetime = struct.unpack_from("!HHI", request, 4)
        outside = self.keep((17 if operation == 1 else 6, sender, inside), lifetime)
        return head + struct.pack("!HHI", inside, outside, lifetime)


def main():
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    gateway = Gateway(*sys.argv[1:4])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((gateway.lan, SERVER_PORT))
        gateway.forward()
        while True:
            request, sender = server.recvfrom(2000)
            answer = gateway.answer(request, sender[0])
            if answer:
                server.sendto(answer, sender)


if __name__ == "__main__":
    main()
