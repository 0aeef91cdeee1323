#!/usr/bin/env python3
# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A router's UPnP that hangs: it is found, takes each connection, and begins an answer that never ends. It says one
octet a second, so that no patience between two octets runs out. Writes a line when it is found and for each connection.

    hung_gateway.py INSIDE_ADDRESS
"""
import selectors
import signal
import socket
import struct
import sys

SSDP = ("239.255.255.250", 1900)
ANSWER = ("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {kind}\r\n"
          "USN: uuid:0b8d9a3c-5f53-4d1e-9f43-3f1a6c1d2e78::{kind}\r\nEXT:\r\nSERVER: hung\r\n"
          "LOCATION: http://{address}:5000/rootDesc.xml\r\n\r\n")


def says_one_more(connection):
    try:
        connection.sendall(b"a")
    except OSError:
        return False
    return True


def main():
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    address = sys.argv[1]
    search = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    search.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    search.bind(("", SSDP[1]))
    search.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                      struct.pack("4s4s", socket.inet_aton(SSDP[0]), socket.inet_aton(address)))
    server = socket.create_server((address, 5000))
    waiting = selectors.DefaultSelector()
    waiting.register(search, selectors.EVENT_READ)
    waiting.register(server, selectors.EVENT_READ)
    print("waits", flush=True)
    kept = []
    while True:
        ready = waiting.select(1)
        if not ready:
            kept = [connection for connection in kept if says_one_more(connection)]
        for key, _ in ready:
            if key.fileobj is server:
                kept.append(server.accept()[0])
                kept[-1].sendall(b"HTTP/1.1 200 OK\r\nServer: ")
                print("holds", flush=True)
                continue
            request, asker = search.recvfrom(2000)
            lines = [line.split(":", 1)[1].strip() for line in request.decode("ascii", "replace").splitlines()
                     if line.upper().startswith("ST:")]
            if lines:
                search.sendto(ANSWER.format(kind=lines[0], address=address).encode("ascii"), asker)
                print("found", flush=True)


main()
