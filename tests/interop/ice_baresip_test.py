# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Our ICE with that of baresip (libre's, RFC 5245): calls both ways, each role and both at once in the same role, audio both ways;
and through its relay, of coturn and of ours, alone and with a relay of our side.

What signals is a few lines of SIP here; our side of the audio is stile_ice_peer, which sends back what comes. baresip refuses a
loopback interface, so that it runs in a namespace with a network of its own. The relays are in a third one, on a network of which
the phone reaches the relays' server alone.
"""
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "natlab"))
import ice_peers  # noqa: E402
import lab  # noqa: E402
import programs  # noqa: E402
import relay_servers as relays  # noqa: E402

OURS, PHONE = "198.18.1.1", "198.18.1.2"  # RFC 2544
SIP_PORT, CONTROL_PORT = 5060, 4444
RELAY_USER, RELAY_PASSWORD = "phone", "a-secret"  # its accounts want no blanks in them
AUDIO_PACKETS = 25  # half a second
CONFIG = f"""
poll_method epoll
sip_listen {PHONE}:{SIP_PORT}
call_max_calls 4
audio_player ausine,440
audio_source ausine,440
audio_alert none,none
net_interface eth0
rtcp_mux yes
module_path /usr/lib/baresip/modules
module stdio.so
module opus.so
module ausine.so
module ice.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {PHONE}:{CONTROL_PORT}
"""
RELAYS_SERVER_ALONE = f"""
table ip phone {{
  chain input {{ type filter hook input priority 0; policy accept; iifname "eth0" ip daddr {relays.CLIENT} drop; }}
  chain forward {{ type filter hook forward priority 0; policy accept; iifname "eth0" udp dport != {relays.PORT} drop; }}
}}
"""


class Exchange:
    """One SIP message: its first line, its headers by lower-case name, its body."""

    def __init__(self, octets):
        head, _, self.body = octets.decode().partition("\r\n\r\n")
        self.first, *lines = head.split("\r\n")
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.strip().lower(), []).append(value.strip())

    def __getitem__(self, name):
        return self.headers[name][0]

    def attributes(self, *names):
        """The SDP lines a=NAME of the body, in order."""
        lines = self.body.split("\r\n")
        return [line for line in lines if any(re.match(rf"a={name}(:|$)", line) for name in names)]


class Telephone:
    """Our end of the signalling over UDP: it calls, or answers one call; later requests are answered as they come."""

    def __init__(self, sdp):
        self.sdp = sdp
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((OURS, SIP_PORT))
        self.socket.settimeout(0.1)
        self.closing = threading.Event()
        self.messages, self.changed = [], threading.Condition()
        self.tag, self.call = f"{time.monotonic_ns():x}", f"{time.monotonic_ns():x}@{OURS}"
        self.dialog = None  # of a call that we made: the To header of its answer
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def close(self):
        self.closing.set()
        self.thread.join()
        self.socket.close()

    def _receive(self):
        while not self.closing.is_set():
            try:
                octets, source = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            if not octets.strip():
                continue
            message = Exchange(octets)
            with self.changed:
                self.messages.append(message)
                self.changed.notify_all()
            if message.first.startswith(("INVITE", "BYE", "OPTIONS", "UPDATE")):
                self._answer(message, source)

    def _answer(self, request, source):
        to = request["to"]
        if "tag=" not in to:
            to += f";tag={self.tag}"
        headers = [f"Via: {via}" for via in request.headers["via"]]
        headers += [f"From: {request['from']}", f"To: {to}", f"Call-ID: {request['call-id']}", f"CSeq: {request['cseq']}",
                    f"Contact: <sip:ours@{OURS}:{SIP_PORT}>"]
        self._send("SIP/2.0 200 OK", headers, self.sdp(request) if request.first.startswith("INVITE") else "", source)

    def _send(self, first, headers, body="", target=(PHONE, SIP_PORT)):
        if body:
            headers = [*headers, "Content-Type: application/sdp"]
        lines = [first, *headers, f"Content-Length: {len(body)}", "", body]
        self.socket.sendto("\r\n".join(lines).encode(), target)

    def _request(self, method, number, to, body=""):
        self._send(f"{method} sip:phone@{PHONE} SIP/2.0",
                   [f"Via: SIP/2.0/UDP {OURS}:{SIP_PORT};branch=z9hG4bK{method}{self.tag}{number}", "Max-Forwards: 70",
                    f"From: <sip:ours@{OURS}>;tag={self.tag}", f"To: {to}", f"Call-ID: {self.call}", f"CSeq: {number} {method}",
                    f"Contact: <sip:ours@{OURS}:{SIP_PORT}>"], body)

    def dial(self):
        """The answer to an INVITE of ours."""
        self._request("INVITE", 1, f"<sip:phone@{PHONE}>", self.sdp())
        answer = self.wait(lambda message: message.first.startswith("SIP/2.0 2") and "INVITE" in message["cseq"])
        self.dialog = answer["to"]
        self._request("ACK", 1, self.dialog)
        return answer

    def hang_up(self):
        if self.dialog:
            self._request("BYE", 2, self.dialog)
            self.wait(lambda message: message.first.startswith("SIP/2.0 2") and "BYE" in message["cseq"])

    def wait(self, is_it, seconds=programs.PATIENCE):
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [message for message in self.messages if is_it(message)]
                if found:
                    return found[0]
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError("\n".join(message.first + "\n" + message.body for message in self.messages))
                self.changed.wait(left)


class Baresip(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())

    def start_phone(self, account=""):
        folder = self.world.folder("baresip")
        for name, text in {"config": CONFIG, "contacts": "",
                           "accounts": f"<sip:phone@{PHONE}>;regint=0;medianat=ice;answermode=auto{account}\n"}.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        phone = self.world.start("baresip", ["baresip", "-4", "-v", "-f", folder], host=HOST)
        phone.wait_for("baresip is ready")
        return phone

    def command(self, command, params=""):
        """One command to the phone by ctrl_tcp, in netstrings; what it answers."""
        text = json.dumps({"command": command, "params": params})
        with socket.create_connection((PHONE, CONTROL_PORT), timeout=programs.PATIENCE) as control:
            control.sendall(f"{len(text)}:{text},".encode())
            seen = b""
            while b'"response":true' not in seen.replace(b" ", b""):
                more = control.recv(65536)
                if not more:
                    break
                seen += more
        return seen.decode()

    def ours(self, controlling, *words):
        peer = ice_peers.Peer(ice_peers.ours("--echo", "--patience-ms", 300, "--relayed-patience-ms", 300, *words), controlling, name="ours")
        return contextlib.closing(peer)

    @staticmethod
    def description(peer, offer):
        """An offer, or the answer to this one."""
        payload = re.search(r"a=rtpmap:(\d+) opus", offer.body).group(1) if offer else "96"
        said, candidates = peer.wait("description"), [event["line"] for event in peer.all("candidate")]
        host, port = candidates[0].split()[4:6]
        return "\r\n".join(
            ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", "a=ice-options:ice2",
             f"a=ice-ufrag:{said['ufrag']}", f"a=ice-pwd:{said['pwd']}", f"m=audio {port} RTP/AVP {payload}", f"a=rtpmap:{payload} opus/48000/2",
             "a=rtcp-mux", "a=sendrecv", *candidates, ""])

    def check(self, we_call, we_control, account="", words=("--bind", OURS)):
        """A call that is heard at both ends; how it went at ours, and what the phone said of its media."""
        phone = self.start_phone(account)
        try:
            with self.ours(we_control, *words) as ours:
                ours.wait("end-of-candidates")
                with contextlib.closing(Telephone(lambda offer=None: self.description(ours, offer))) as telephone:
                    return self.call(phone, ours, telephone, we_call, we_control)
        finally:
            phone.end()

    def call(self, phone, ours, telephone, we_call, we_control):
        if we_call:
            theirs = telephone.dial()
        else:
            self.command("dial", f"sip:ours@{OURS}:{SIP_PORT}")
            theirs = telephone.wait(lambda message: message.first.startswith("INVITE"))
        begin = time.monotonic()
        ours.tell(*theirs.attributes("ice-ufrag", "ice-pwd"), *theirs.attributes("candidate"), "a=end-of-candidates")
        state = ours.wait_for_state("completed", "failed")
        self.assertEqual(state["state"], "completed", ours.story())
        # Who calls controls (RFC 8445 Section 6.1.1); a conflict ends with one of each.
        if we_control == we_call:
            self.assertEqual(state["role"], "controlling" if we_call else "controlled")
        phone.wait_for("connectivity check is complete")
        role = re.search(r"local_role=(\w+)", phone.output())
        # Its audio comes here, and goes back: to it that is ours.
        end = time.monotonic() + programs.PATIENCE
        while len(ours.all("received")) < AUDIO_PACKETS and time.monotonic() < end:
            time.sleep(0.05)
        self.assertGreaterEqual(len(ours.all("received")), AUDIO_PACKETS, ours.story() + phone.output())
        phone.wait_for(r"incoming rtp for 'audio' established, receiving from ")
        route = ours.last("selected")
        print(f"{'we call' if we_call else 'baresip calls':<14}{'we begin controlling' if we_control else 'we begin controlled':<22}"
              f"{(ours.all('selected')[0]['at'] - begin) * 1000:6.0f} ms  {route['local_type']}/{route['remote_type']}  "
              f"in the end we are {ours.last('state')['role']}, baresip {role.group(1).lower() if role else '?'}", flush=True)
        if we_call:
            telephone.hang_up()
        else:
            self.command("hangup")
            telephone.wait(lambda message: message.first.startswith("BYE"))
        return route, theirs

    def check_relayed(self, server):
        users = {RELAY_USER: RELAY_PASSWORD}
        with mock.patch.dict(os.environ, STILE_TEST_RELAY=server):
            relay = relays.Relay(self.world, users=users)
        at = f"{relays.SERVER}:{relays.PORT}"
        account = f";stunserver=turn:{at};stunuser={RELAY_USER};stunpass={RELAY_PASSWORD}"
        ours = ("--bind", relays.CLIENT)
        relayed = (*ours, "--relay-only", "--turn", f"{at},{RELAY_USER},{RELAY_PASSWORD}")
        for words, types in ((ours, ("host", "relay")), (relayed, ("relay", "relay"))):
            for we_call in (True, False):
                with self.subTest(types=types, we_call=we_call):
                    route, theirs = self.check(we_call, we_call, account, words)
                    self.assertEqual((route["local_type"], route["remote_type"]), types, theirs.body)
                    self.assertTrue(route["remote"].startswith(relays.SERVER + ":"), route)
        self.assertTrue(relay.is_running(), "the server ended")

    @programs.needs("baresip")
    def test_through_our_relay(self):
        self.check_relayed("")

    @programs.needs("baresip", "turnserver")
    def test_through_coturn(self):
        self.check_relayed("coturn")

    @programs.needs("baresip")
    def test_we_call(self):
        self.check(we_call=True, we_control=True)

    @programs.needs("baresip")
    def test_baresip_calls(self):
        self.check(we_call=False, we_control=False)

    @programs.needs("baresip")
    def test_we_call_and_both_believe_to_be_controlled(self):
        self.check(we_call=True, we_control=False)

    @programs.needs("baresip")
    def test_baresip_calls_and_both_believe_to_control(self):
        self.check(we_call=False, we_control=True)


if __name__ == "__main__":
    programs.bin_folder()
    relays.enter()
    HOST = lab.Host("phone", PHONE)
    lab.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "phone")
    lab.ip("addr", "add", f"{OURS}/24", "dev", "eth0")
    lab.ip("-n", "phone", "addr", "add", f"{PHONE}/24", "dev", "eth0")
    lab.ip("link", "set", "eth0", "up")
    lab.ip("-n", "phone", "link", "set", "eth0", "up")
    lab.ip("-n", "phone", "route", "add", "default", "via", OURS)
    relays.server_ip("route", "add", f"{PHONE}/32", "via", relays.CLIENT)
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as forwarding:
        forwarding.write("1")
    # Silently: with an error, libre leaves the pair in progress for ever.
    subprocess.run(["nft", "-f", "-"], input=RELAYS_SERVER_ALONE, text=True, check=True)
    unittest.main()
