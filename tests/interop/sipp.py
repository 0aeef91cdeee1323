# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Scenarios for SIPp: a phone that registers, calls and is called, in as few words as it has."""
import os

import programs

HEAD = """<?xml version="1.0" encoding="us-ascii"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="test">
"""
REGISTER_MESSAGE = """
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[pid]r[call_number]
To: <sip:{user}@{domain}>
Call-ID: [call_id]
CSeq: {sequence} REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
Expires: {expires}
{authorization}Content-Length: 0

"""
SDP = """v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio 40000 RTP/AVP 96 0
a=rtpmap:96 opus/48000/2
a=rtpmap:0 PCMU/8000
"""
INVITE_MESSAGE = """
INVITE sip:{callee}@{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[pid]c[call_number]
To: <sip:{callee}@{domain}>
Call-ID: [call_id]
CSeq: {sequence} INVITE
Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>
{authorization}Content-Type: application/sdp
Content-Length: [len]

""" + SDP
VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport"
# Within the dialog: along the route that the 200 recorded.
IN_DIALOG = """
{method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[pid]c[call_number]
To: <sip:{callee}@{domain}>[peer_tag_param]
[routes]
Call-ID: [call_id]
CSeq: {sequence} {method}
Content-Length: 0

"""


def send(message, options=""):
    return f"<send {options}><![CDATA[{message}]]></send>\n"


def receive(what, options=""):
    kind = "response" if isinstance(what, int) else "request"
    return f'<recv {kind}="{what}" {options}/>\n'


def authorization(user, password):
    return f"[authentication username={user} password={password}]\n"


def register(user, password, expected, challenge=401, domain=programs.DOMAIN, expires=300):
    """REGISTER, the challenge, REGISTER with digest, and the status expected."""
    facts = {"user": user, "domain": domain, "expires": expires}
    return (HEAD + send(REGISTER_MESSAGE.format(sequence=1, authorization="", **facts), 'retrans="500"') +
            receive(challenge, 'auth="true"') +
            send(REGISTER_MESSAGE.format(sequence=2, authorization=authorization(user, password), **facts),
                 'retrans="500"') +
            receive(expected) + "</scenario>\n")


def register_once(user, expected, domain=programs.DOMAIN):
    """REGISTER without credentials, and the status expected."""
    message = REGISTER_MESSAGE.format(user=user, domain=domain, sequence=1, expires=300, authorization="")
    return HEAD + send(message, 'retrans="500"') + receive(expected) + "</scenario>\n"


def call(user, password, callee, statuses=(180, 200), domain=programs.DOMAIN, talk=100):
    """INVITE, 407, INVITE with digest; then the statuses expected, ACK, some talk and BYE."""
    facts = {"user": user, "callee": callee, "domain": domain}
    text = HEAD + send(INVITE_MESSAGE.format(sequence=1, authorization="", **facts), 'retrans="500"')
    text += receive(100, 'optional="true"') + receive(407, 'auth="true"')
    text += send(IN_DIALOG.format(sequence=1, method="ACK", **facts).replace("[routes]\n", "")
                 .replace(VIA, "[last_Via:]")  # of the same transaction
                 .replace("[next_url]", f"sip:{callee}@{domain}"))
    text += send(INVITE_MESSAGE.format(sequence=2, authorization=authorization(user, password), **facts),
                 'retrans="500"')
    text += receive(100, 'optional="true"')
    for status in statuses[:-1]:
        text += receive(status)
    text += receive(statuses[-1], 'rrs="true"')
    text += send(IN_DIALOG.format(sequence=2, method="ACK", **facts))
    text += f'<pause milliseconds="{talk}"/>\n'
    text += send(IN_DIALOG.format(sequence=3, method="BYE", **facts), 'retrans="500"')
    return text + receive(200) + "</scenario>\n"


ANSWER = """
SIP/2.0 {status}
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
"""


def answer_calls():
    """A phone that rings, answers and waits for BYE."""
    text = HEAD + receive("INVITE", 'rrs="true"')
    text += send(ANSWER.format(status="180 Ringing") + "Content-Length: 0\n\n")
    text += '<pause milliseconds="50"/>\n'
    text += send(ANSWER.format(status="200 OK") + "Content-Type: application/sdp\nContent-Length: [len]\n\n" +
                 SDP, 'retrans="500"')
    text += receive("ACK") + receive("BYE")
    return text + send(ANSWER.replace(";tag=[pid]a[call_number]", "").format(status="200 OK") +
                       "Content-Length: 0\n\n") + "</scenario>\n"


class Sipp:
    """SIPp at an address and port of its own; one call at a time."""

    def __init__(self, world, server, transport="u1", port=None, address=programs.LOOPBACK, host=None):
        self.world = world
        self.server = server
        self.transport = transport
        self.address = address
        self.port = port or programs.free_port(address)
        self.host = host

    def words(self, scenario, calls=1):
        path = self.world.write("scenario.xml", scenario)
        self.messages = path + ".messages"
        return ["sipp", "-sf", path, "-m", calls, "-t", self.transport, "-i", self.address, "-p", self.port,
                "-trace_msg", "-message_file", self.messages, "-trace_err", "-error_file", path + ".errors",
                "-timeout", "20s", "-timeout_error", "-nostdin", f"{self.server.address}:{self.server.sip}"]

    def run(self, scenario, calls=1):
        """The exit status (0: as the scenario says) and all messages."""
        done = self.world.run(self.words(scenario, calls), host=self.host, cwd=self.world.root)
        return done.returncode, self.traced()

    def start(self, scenario, name="sipp", calls=1):
        return self.world.start(name, self.words(scenario, calls), host=self.host, cwd=self.world.root)

    def traced(self):
        if not os.path.exists(self.messages):
            return ""
        with open(self.messages, encoding="utf-8", errors="replace") as messages:
            return messages.read()
