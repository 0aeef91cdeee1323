# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Sends the messages of RFC 4475 and RFC 5118 to a server, as they are, from where their Via says."""
import contextlib
import hashlib
import itertools
import os
import re
import select
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import programs  # noqa: E402

DOMAIN = "example.com"  # the one that most of the messages are for
MOST_SECONDS = 20
NUMBERS = itertools.count(1)

# Its answer says that everything before has been dealt with.
PROBE = """OPTIONS sip:example.com SIP/2.0\r
Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKprobe{number}\r
From: <sip:probe@example.com>;tag=probe\r
To: <sip:example.com>\r
Call-ID: probe-{number}\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


def messages(folder, document):
    """Each message's octets, by its name in the document."""
    subprocess.run([os.path.join(programs.bin_folder(), "stile_torture_messages"), folder], check=True)
    found = {}
    for name in sorted(os.listdir(os.path.join(folder, document))):
        with open(os.path.join(folder, document, name), "rb") as file:
            found[name] = file.read()
    return found


def ports_of(message):
    """Where answers may go: without rport to the port that the topmost Via names (RFC 3261 Section 18.2.2)."""
    return {5060} | {int(port) for port in re.findall(rb"(?i)SIP\s*/\s*2\.0\s*/\s*UDP[^;,]*:\s*(\d{1,5})\b", message)
                     if 1024 <= int(port) <= 65535}


class Servers:
    """Of several messages with one branch, the second would be the first one's retransmission (RFC 3261 Section
    17.2.3): it goes to another server."""

    def __init__(self, world):
        self.world = world
        self.used = []  # (server, the branches that it has seen)

    def fit_for(self, message):
        branch = re.search(rb"branch\s*=\s*([^;,\s]+)", message)
        for server, branches in self.used:
            if branch is None or branch[1] not in branches:
                break
        else:
            server, branches = self._start(), set()
            self.used.append((server, branches))
        branches.add(branch[1] if branch else None)
        return server

    def _start(self):
        server = self.world.stiled(domain=DOMAIN, plain_compatible=True)
        server.passwords = {name: server.add_compatible_user(name)[0] for name in ("user", "watson")}
        return server


class Phone:
    """An address of this host, with the ports that the message wants to be answered at."""

    def __init__(self, server):
        self.server = (server.address, server.sip)
        number = next(NUMBERS)
        self.host = f"127.0.{7 + number // 200}.{1 + number % 200}"

    def exchange(self, message, wants_answer):
        """What comes of the message, as text: its final answer where one is wanted, else what a later request's answer
        was not preceded by."""
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(self._socket(port)) for port in sorted(ports_of(message))]
            opened[0].sendto(message, self.server)
            received = []
            if wants_answer:
                received = self._until_final(opened)
            self._probe()
            return received + [text for each in opened for text in self._waiting(each)]

    @staticmethod
    def _until_final(opened):
        received = []
        while not [status for status in statuses(received) if status >= 200]:
            ready, _, _ = select.select(opened, [], [], MOST_SECONDS)
            if not ready:
                raise AssertionError(f"no answer within {MOST_SECONDS} s; before: {received}")
            received.append(ready[0].recv(65535).decode(errors="replace"))
        return received

    def _probe(self):
        with self._socket(0) as probe:
            number = next(NUMBERS)
            probe.sendto(PROBE.format(host=self.host, port=probe.getsockname()[1], number=number).encode(), self.server)
            answer = probe.recv(65535).decode()
        if not answer.startswith("SIP/2.0 200 "):
            raise AssertionError(f"the probe was answered {answer}")

    def _socket(self, port):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.settimeout(MOST_SECONDS)
        opened.bind((self.host, port))
        return opened

    @staticmethod
    def _waiting(opened):
        opened.setblocking(False)
        found = []
        try:
            while True:
                found.append(opened.recv(65535).decode(errors="replace"))
        except BlockingIOError:
            return found


def statuses(answers):
    return [int(match[1]) for answer in answers if (match := re.match(r"SIP/2\.0 (\d{3}) ", answer))]


def unfolded(text):
    return re.sub(r"\r?\n[ \t]+", " ", text)


def field(text, *names):
    """The first value of a header field by one of its names, without white space around it."""
    found = re.search(rf"(?im)^(?:{'|'.join(names)})[ \t]*:[ \t]*(.*?)[ \t]*\r?$", unfolded(text))
    return found[1] if found else None


def check_echo(test, message, answer):
    """Call-ID, CSeq and From are the request's. RFC 3261 Section 8.2.6.2."""
    asked = message.decode(errors="replace")
    for names in (("Call-ID", "i"), ("From", "f"), ("CSeq",)):
        test.assertEqual((field(answer, *names) or "").split(), (field(asked, *names) or "").split(), answer)


def contacts(answer):
    return [re.sub(r">.*", ">", value) for value in re.findall(r"(?m)^Contact: (.*?)\r$", answer)]


def with_password(message, challenge, user, password):
    """The request again, with the digest that was asked for (RFC 2617, RFC 7616) and the next CSeq."""
    asked = dict(re.findall(r'(\w+)="?([^",]+)"?', field(challenge, "WWW-Authenticate")))
    text = message.decode()
    uri = re.match(r"REGISTER (\S+) ", text)[1]

    def md5(*parts):
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    response = md5(md5(user, asked["realm"], password), asked["nonce"], "00000001", "c0ffee", "auth",
                   md5("REGISTER", uri))
    credentials = (f'Authorization: Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", '
                   f'uri="{uri}", response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c0ffee"')
    if "opaque" in asked:
        credentials += f', opaque="{asked["opaque"]}"'
    text = re.sub(r"(?m)^CSeq: (\d+)", lambda found: f"CSeq: {int(found[1]) + 1}", text, count=1)
    text = re.sub(r"branch=(\w+)", r"branch=\1again", text, count=1)
    return text.replace("\r\n", f"\r\n{credentials}\r\n", 1).encode()
