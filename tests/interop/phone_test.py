# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""One address, a telephone and a shared folder: who fetches rings no telephone, who calls does.

baresip refuses a loopback interface, so everything runs in a namespace with a network of its own.
"""
import os
import re
import sys
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "natlab"))
import lab  # noqa: E402
import programs  # noqa: E402
import sipp  # noqa: E402

ALICE = f"alice@{programs.DOMAIN}"
BARESIP_CONFIG = """
poll_method epoll
sip_listen {address}:{port}
call_max_calls 4
audio_player ausine,440
audio_source ausine,440
audio_alert none,none
net_interface eth0
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module opus.so
module ausine.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
sip_cafile {authority}
"""


def calls_in(trace):
    """The Call-IDs of the INVITEs that a phone shows."""
    return set(re.findall(r"INVITE sip:alice.*?Call-ID: *(\S+)", trace, re.DOTALL | re.IGNORECASE))


class Phone(unittest.TestCase):
    def setUp(self):
        network = self.enterContext(lab.Lab())
        self.world = self.enterContext(programs.World())
        self.host = network.public_host("server")
        self.address = self.host.address
        self.server = self.world.stiled(address=self.address, plain_compatible=True, host=self.host)
        self.password, link = self.server.add_compatible_user("alice")
        self.caller_password, _ = self.server.add_compatible_user("caller")
        self.alice = self.server.login("alice", link, host=self.host)
        self.bob = self.server.login("bob", host=self.host)

    def sipp(self):
        return sipp.Sipp(self.world, self.server, address=self.address, host=self.host, port=7000)

    def call(self, statuses=(180, 200)):
        return self.sipp().run(sipp.call("caller", self.caller_password, "alice", statuses))

    def fetch(self):
        done = self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "hello")

    def start_baresip(self, transport, *commands):
        folder = self.world.folder("baresip")
        authority = self.world.write("ca.pem", self.server.setting("authority-certificate").decode())
        server = self.address + (":5061" if transport == "tls" else "")
        for name, text in {
            "config": BARESIP_CONFIG.format(address=self.address, port=5070, authority=authority),
            "accounts": f"<sip:{ALICE};transport={transport}>;auth_user=alice;auth_pass={self.password};"
                        f'outbound="sip:{server};transport={transport}";answermode=auto;regint=300\n',
            "contacts": "",
        }.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        words = [word for command in commands for word in ("-e", command)]
        phone = self.world.start("baresip", ["baresip", "-4", "-s", "-f", folder, *words], host=self.host)
        phone.wait_for(r"200 OK.*\[\d+ binding")
        return phone

    def check(self, phone, trace, share):
        """Fetches leave the phone alone; then a call makes it ring, and the share does not mind."""
        before = len(self.server.bindings("alice"))
        self.assertEqual(before, 2, self.server.bindings("alice"))
        for _ in range(3):
            self.fetch()
        status, messages = self.call()
        self.assertEqual(status, 0, messages)
        # The call came after the fetches by the same way: had they forked, theirs would be there too.
        self.assertEqual(len(calls_in(trace())), 1, trace())
        self.fetch()
        self.assertIsNone(share.process.poll())

    @programs.needs("baresip", "sipp")
    def test_a_fetch_does_not_ring_baresip_over_udp_but_a_call_does(self):
        share = self.world.share(self.alice, {"a.txt": b"hello"})
        phone = self.start_baresip("udp")
        self.check(phone, phone.output, share)

    @programs.needs("baresip", "sipp")
    def test_a_fetch_does_not_ring_baresip_over_tcp_but_a_call_does(self):
        phone = self.start_baresip("tcp")
        share = self.world.share(self.alice, {"a.txt": b"hello"})
        self.check(phone, phone.output, share)

    @programs.needs("baresip", "sipp")
    def test_a_fetch_does_not_ring_baresip_over_tls_but_a_call_does(self):
        phone = self.start_baresip("tls")
        share = self.world.share(self.alice, {"a.txt": b"hello"})
        self.check(phone, phone.output, share)

    @programs.needs("sipp")
    def test_a_fetch_does_not_ring_a_phone_without_any_feature(self):
        phone = sipp.Sipp(self.world, self.server, address=self.address, host=self.host, port=6000)
        status, messages = phone.run(sipp.register("alice", self.password, 200))
        self.assertEqual(status, 0, messages)
        share = self.world.share(self.alice, {"a.txt": b"hello"})
        called = phone.start(sipp.answer_calls(), "phone")
        self.check(called, phone.traced, share)
        self.assertEqual(called.wait(), 0, phone.traced())

    @programs.needs("baresip", "sipp")
    def test_baresip_calls_along_a_route_that_names_the_server_without_a_port(self):
        called = sipp.Sipp(self.world, self.server, address=self.address, host=self.host, port=7000)
        status, messages = called.run(sipp.register("caller", self.caller_password, 200))
        self.assertEqual(status, 0, messages)
        answering = called.start(sipp.answer_calls(), "called")
        phone = self.start_baresip("udp", f"/dial sip:caller@{programs.DOMAIN}")
        phone.wait_for(rf"Route: <sip:{self.address};transport=udp;lr>")
        phone.wait_for("Call established")
        phone.end()
        self.assertEqual(answering.wait(), 0, called.traced())

    @programs.needs("baresip")
    def test_a_fetch_from_who_has_only_a_phone_says_so_and_does_not_ring(self):
        phone = self.start_baresip("udp")
        done = self.bob.stile("get", f"{ALICE}/a.txt", "-o", "-")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"{ALICE} is not online", done.stderr)
        self.assertEqual(phone.output().count("INVITE sip:alice"), 0, phone.output())


if __name__ == "__main__":
    programs.bin_folder()
    lab.enter_or_skip()
    unittest.main()
