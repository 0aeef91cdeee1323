# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""A TURN client of few words for tests that no stock client fits: it sends exactly what it is told.

It knows MD5 keys and SHA-1 integrity, which every server takes.
"""
import base64
import hashlib
import hmac
import os
import select
import socket
import ssl
import struct
import time

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, PERMISSION, CHANNEL = 1, 3, 4, 6, 7, 8, 9
SUCCESS, ERROR, INDICATION = 0x100, 0x110, 0x010
CHANNEL_NUMBER, LIFETIME, PEER, DATA_VALUE = 0x000C, 0x000D, 0x0012, 0x0013
ACCESS_TOKEN = 0x001B
USERNAME, INTEGRITY, ERROR_CODE, REALM, NONCE, RELAYED, TRANSPORT = 6, 8, 9, 0x14, 0x15, 0x16, 0x19


class Refused(Exception):
    """The server answered with this code."""

    def __init__(self, code):
        super().__init__(str(code))
        self.code = code


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def xor_address(address, port):
    octets = socket.inet_aton(address)
    return struct.pack("!xBH", 1, port ^ (COOKIE >> 16)) + bytes(
        a ^ b for a, b in zip(octets, struct.pack("!I", COOKIE)))


def read_xor_address(value):
    port = struct.unpack("!H", value[2:4])[0] ^ (COOKIE >> 16)
    return socket.inet_ntoa(bytes(a ^ b for a, b in zip(value[4:8], struct.pack("!I", COOKIE)))), port


class Message:
    """A STUN message that came."""

    def __init__(self, octets):
        kind, length, _ = struct.unpack("!HHI", octets[:8])
        self.method, self.kind, self.id = kind & ~0x110, kind & 0x110, octets[8:20]
        self.values, offset = {}, 20
        while offset + 4 <= 20 + length:
            name, size = struct.unpack("!HH", octets[offset:offset + 4])
            self.values.setdefault(name, octets[offset + 4:offset + 4 + size])
            offset += 4 + size + -size % 4

    def error(self):
        value = self.values.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0


class Requests:
    """Builds a user's messages; remembers what the server's challenge said."""

    def __init__(self, user, password):
        self.user, self.password = user, password
        self.realm = self.nonce = self.key = None

    def challenge(self, message):
        self.realm, self.nonce = message.values[REALM], message.values[NONCE]
        self.key = hashlib.md5(b":".join((self.user.encode(), self.realm, self.password.encode()))).digest()

    def build(self, method, values, kind=0):
        body = b"".join(attribute(*value) for value in values)
        name = os.urandom(12)
        if self.key and kind != INDICATION:
            body += attribute(USERNAME, self.user.encode()) + attribute(REALM, self.realm)
            body += attribute(NONCE, self.nonce)
            header = struct.pack("!HHI", method | kind, len(body) + 24, COOKIE) + name
            body += attribute(INTEGRITY, hmac.digest(self.key, header + body, "sha1"))
        return struct.pack("!HHI", method | kind, len(body), COOKIE) + name + body


def time_limited(secret, user, seconds=3600):
    """A name and its password, as a shared secret gives them."""
    name = f"{int(time.time()) + seconds}:{user}"
    return name, base64.b64encode(hmac.digest(secret.encode(), name.encode(), "sha1")).decode()


class TokenRequests(Requests):
    """Comes with an access token of RFC 7635, whose key is `mac_key`."""

    def __init__(self, kid, mac_key, token):
        super().__init__(kid, "")
        self.mac_key, self.token = mac_key, token

    def challenge(self, message):
        super().challenge(message)
        self.key = self.mac_key

    def build(self, method, values, kind=0):
        if self.key and method in (ALLOCATE, REFRESH):
            values = [*values, (ACCESS_TOKEN, self.token)]
        return super().build(method, values, kind)


class Client:
    """One allocation, made by the constructor, over udp, tcp or tls; `requests` in place of a user."""

    def __init__(self, server, port, user="", password="", transport="udp", local="", authority=None,
                 alpn=(), requests=None):
        self.requests = requests or Requests(user, password)
        self.stream = transport != "udp"
        if self.stream:
            self.socket = socket.create_connection((server, port), 10, (local, 0) if local else None)
            if transport == "tls":
                context = ssl.create_default_context(cafile=authority)
                context.check_hostname = False
                if alpn:
                    context.set_alpn_protocols(alpn)
                self.socket = context.wrap_socket(self.socket)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            if local:
                self.socket.bind((local, 0))
            self.socket.connect((server, port))
        self.buffer, self.arrived = b"", []
        answer = self.request(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")])
        self.relayed = read_xor_address(answer.values[RELAYED])

    def close(self):
        self.socket.close()

    def request(self, method, values, seconds=10):
        """The success response; data that comes before it waits in `arrived`."""
        for _ in range(3):
            octets = self.requests.build(method, values)
            self.socket.sendall(octets)
            answer = self.receive(seconds, octets[8:20])
            if answer.kind == SUCCESS:
                return answer
            if answer.error() not in (401, 438) or self.requests.key and answer.error() == 401:
                raise Refused(answer.error())
            self.requests.challenge(answer)
        raise Refused(438)

    def refresh(self, lifetime=600):
        return self.request(REFRESH, [(LIFETIME, struct.pack("!I", lifetime))])

    def permit(self, address):
        return self.request(PERMISSION, [(PEER, xor_address(address, 0))])

    def bind(self, channel, address, port):
        return self.request(CHANNEL, [(CHANNEL_NUMBER, struct.pack("!HH", channel, 0)),
                                      (PEER, xor_address(address, port))])

    def send(self, address, port, payload):
        self.socket.sendall(self.requests.build(SEND, [(PEER, xor_address(address, port)), (DATA_VALUE, payload)],
                                                INDICATION))

    def send_on(self, channel, payload):
        padding = bytes(-len(payload) % 4) if self.stream else b""
        self.socket.sendall(struct.pack("!HH", channel, len(payload)) + payload + padding)

    def data(self, seconds=10):
        """The next (channel or peer address, payload)."""
        if not self.arrived:
            self.receive(seconds, None)
        return self.arrived.pop(0)

    def receive(self, seconds, wanted):
        """The response to this transaction; without one it returns at the first data."""
        deadline = time.monotonic() + seconds
        while True:
            frame = self.frame(deadline)
            if frame[0] & 0xC0:
                channel, size = struct.unpack("!HH", frame[:4])
                self.arrived.append((channel, frame[4:4 + size]))
            else:
                message = Message(frame)
                if wanted and message.id == wanted:
                    return message
                if message.kind == INDICATION and DATA_VALUE in message.values:
                    self.arrived.append((read_xor_address(message.values[PEER]), message.values[DATA_VALUE]))
            if self.arrived and not wanted:
                return None

    def frame(self, deadline):
        while True:
            if self.stream and len(self.buffer) >= 4:
                kind, length = struct.unpack("!HH", self.buffer[:4])
                size = 20 + length if kind < 0x4000 else 4 + length + -length % 4
                if len(self.buffer) >= size:
                    frame, self.buffer = self.buffer[:size], self.buffer[size:]
                    return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the server does not answer")
            pending = getattr(self.socket, "pending", int)()
            if not pending and not select.select([self.socket], [], [], left)[0]:
                continue
            octets = self.socket.recv(65536)
            if not self.stream:
                return octets
            if not octets:
                raise ConnectionResetError("the server closed the connection")
            self.buffer += octets
