# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A peer on loopback."""
import socket
import threading

ADDRESS = "127.0.0.2"


class Echo(threading.Thread):
    """Sends everything back, until the test ends."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ADDRESS, 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            octets, source = self.socket.recvfrom(65536)
            self.socket.sendto(octets, source)
