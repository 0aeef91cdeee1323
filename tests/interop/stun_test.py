# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""stile-stun against coturn over every transport, and stock STUN clients against our server."""
import json
import os
import subprocess
import unittest

import programs

FIRST, SECOND = "127.0.0.1", "127.0.0.2"


def certificate(world):
    """A certificate for localhost and its key."""
    key, crt = world.file("server.key"), world.file("server.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", crt, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return key, crt


class Asking(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())

    def stile_stun(self, *words, seconds=60):
        done = subprocess.run([os.path.join(programs.bin_folder(), "stile-stun"), *map(str, words)],
                              capture_output=True, text=True, timeout=seconds)
        self.assertIsNone(programs.SANITIZER.search(done.stderr), programs.excerpt(done.stderr))
        return done

    def report(self, *words):
        done = self.stile_stun(*words, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def refusal(self, code, *words):
        """The error object of a command that ends with this code and explains itself."""
        done = self.stile_stun(*words, "--json")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        error = json.loads(done.stdout)["error"]
        self.assertIn(error["what"], done.stderr)
        self.assertTrue(error["fix"])
        return error


@programs.needs("turnserver", "openssl")
class Coturn(Asking):
    def setUp(self):
        super().setUp()
        self.port, self.tls_port = programs.free_port(), programs.free_port()
        self.key, self.authority = certificate(self.world)
        self.world.start("coturn", [
            "turnserver", "-n", "--no-cli", "--no-auth", "-L", FIRST, "-L", SECOND, "-p", self.port,
            "--alt-listening-port", programs.free_port(), "--tls-listening-port", self.tls_port,
            "--alt-tls-listening-port", programs.free_port(), "--cert", self.authority, "--pkey", self.key,
            "--pidfile", self.world.file("pid"), "--log-file", "stdout"])
        programs.wait_until(
            lambda: self.stile_stun("binding", f"{FIRST}:{self.port}", "--timeout", "1s").returncode == 0,
            "coturn answers")

    def secure(self, query, *words):
        return self.report("binding", f"stuns:localhost:{self.tls_port}{query}", "-4", "--ca", self.authority,
                           *words)

    def test_binding_over_every_transport(self):
        for transport, found in {
            "udp": self.report("binding", f"stun:{FIRST}:{self.port}"),
            "tcp": self.report("binding", f"stun:{FIRST}:{self.port}?transport=tcp"),
            "tls": self.secure(""),
            "dtls": self.secure("?transport=udp"),
        }.items():
            with self.subTest(transport):
                self.assertEqual(found["transport"], transport)
                self.assertEqual(found["mapped"], found["local"])
                self.assertTrue(found["software"].startswith("Coturn"))
                self.assertTrue(found["other"].startswith(SECOND))
                self.assertEqual("security" in found, transport in ("tls", "dtls"))

    def test_a_certificate_must_be_trusted_and_for_the_name(self):
        for transport in ("tcp", "udp"):
            with self.subTest(transport):
                uri = f"stuns:localhost:{self.tls_port}?transport={transport}"
                self.refusal(5, "binding", uri, "-4")
                error = self.refusal(5, "binding", uri, "-4", "--ca", self.authority, "--name", "example.org")
                self.assertIn("example.org", error["evidence"])
                self.refusal(2, "binding", f"stuns:{FIRST}:{self.tls_port}?transport={transport}")
        named = self.report("binding", f"stuns:{FIRST}:{self.tls_port}", "--name", "localhost",
                            "--ca", self.authority)
        self.assertEqual(named["transport"], "tls")

    def test_nat_hairpin_and_lifetime_without_a_nat(self):
        report = self.report("nat", f"{FIRST}:{self.port}")
        self.assertEqual(report["calls"], "direct")
        for transport in ("udp", "tcp"):
            self.assertFalse(report[transport]["nat"])
            self.assertEqual(report[transport]["mapping"], "endpoint-independent")
        self.assertEqual(report["udp"]["filtering"], "endpoint-independent")
        self.assertEqual(self.report("hairpin", f"{FIRST}:{self.port}")["hairpin"], "always")
        report = self.report("lifetime", f"{FIRST}:{self.port}", "--first", "500ms", "--longest", "1s",
                             "--resolution", "500ms")
        self.assertEqual((report["alive_s"], report["expired_s"]), (1, None))

    def test_text_is_for_people(self):
        done = self.stile_stun("nat", f"{FIRST}:{self.port}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no NAT", done.stdout)
        self.assertIn("direct calls work with everybody", done.stdout)


class Errors(Asking):
    def test_each_says_what_and_why_and_ends_with_its_code(self):
        silent = programs.free_port()
        for transport in ("udp", "tcp"):
            with self.subTest(transport):
                error = self.refusal(6, "binding", f"{FIRST}:{silent}", "--transport", transport)
                self.assertEqual(error["cause"], "nothing listens there")
        self.refusal(3, "binding", "stun:nobody.invalid")
        self.refusal(2, "binding", "stun:")
        self.refusal(2, "binding", f"stun:{FIRST}?transport=sctp")
        self.refusal(2, "nat", f"stuns:{FIRST}")
        self.refusal(2, "binding", FIRST, "--local", "::1")
        self.refusal(2, "lifetime", FIRST, "--first", "60s", "--longest", "30s")
        self.refusal(2, "binding", FIRST, "--tmeout", "3s")
        error = self.refusal(9, "binding", f"stuns:localhost:{silent}", "-4", "--ca", "/nonexistent")
        self.assertEqual(error["evidence"], "/nonexistent")
        self.refusal(9, "relay", f"turn:{FIRST}:{silent}", "--user", "alice", "--password-file", "/")
        done = self.stile_stun("bindng", FIRST)
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean 'stile-stun binding'", done.stderr)

    def test_each_command_says_that_nothing_listens(self):
        silent = programs.free_port()
        for command in ("nat", "lifetime", "hairpin"):
            with self.subTest(command):
                self.assertEqual(self.refusal(6, command, f"{FIRST}:{silent}")["cause"], "nothing listens there")
        self.refusal(6, "relay", f"turn:{FIRST}:{silent}", "--user", "alice", "--password", "secret")

    @programs.needs("python3")
    def test_a_server_that_keeps_silent(self):
        port = programs.free_port()
        self.world.start("silent", ["python3", "-c", "import socket,sys,time\n"
                                    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
                                    f"s.bind(('{FIRST}',{port}))\n"
                                    "print('ready',flush=True)\n"
                                    "while True: s.recv(2000)"]).wait_for("ready")
        self.refusal(7, "binding", f"{FIRST}:{port}", "--timeout", "1s")


class OurServer(Asking):
    def setUp(self):
        super().setUp()
        self.server = self.world.stiled()

    def test_our_own_client(self):
        found = self.report("binding", f"{self.server.address}:{self.server.turn}")
        self.assertEqual(found["mapped"], found["local"])


@programs.needs("openssl")
class OurTurnd(Asking):
    """stile-turnd with a second address, as RFC 5780 wants it."""

    def setUp(self):
        super().setUp()
        if not os.path.exists(os.path.join(programs.bin_folder(), "stile-turnd")):
            self.skipTest("stile-turnd is not built")
        self.port, self.tls_port = programs.free_port(), programs.free_port()
        self.key, self.authority = certificate(self.world)
        config = self.world.write("turnd.toml", f"""
realm = "example.org"
state_directory = "{self.world.folder("state")}"
certificate = "{self.authority}"
key = "{self.key}"
[listen]
udp = ["{FIRST}:{self.port}"]
tcp = ["{FIRST}:{self.port}"]
tls = ["{FIRST}:{self.tls_port}"]
dtls = ["{FIRST}:{self.tls_port}"]
alternate = "{SECOND}:{programs.free_port(SECOND)}"
[turn]
relay_addresses = ["{FIRST}"]
secrets = ["a secret of many letters"]
""")
        turnd = self.world.start("stile-turnd",
                                 [os.path.join(programs.bin_folder(), "stile-turnd"), "--config", config])
        turnd.wait_for("^Ready")

    def test_our_own_client_over_every_transport(self):
        for transport, uri in {"udp": f"stun:localhost:{self.port}",
                               "dtls": f"stuns:localhost:{self.port}?transport=udp",
                               "tcp": f"stun:localhost:{self.port}?transport=tcp",
                               "tls": f"stuns:localhost:{self.tls_port}"}.items():
            with self.subTest(transport):
                found = self.report("binding", uri, "-4", "--ca", self.authority)
                self.assertEqual((found["transport"], found["mapped"]), (transport, found["local"]))
        alone = self.report("binding", f"stuns:localhost:{self.tls_port}?transport=udp", "-4", "--ca", self.authority)
        self.assertEqual(alone["transport"], "dtls")

    def test_our_own_client_finds_everything(self):
        report = self.report("nat", f"{FIRST}:{self.port}")
        self.assertEqual((report["calls"], report["udp"]["fragments"]), ("direct", "pass"), report)
        self.assertEqual(report["tcp"]["mapping"], "endpoint-independent", report)
        report = self.report("lifetime", f"{FIRST}:{self.port}", "--first", "500ms", "--longest", "1s")
        self.assertEqual(report["alive_s"], 1)

    def discovery(self, *words):
        return self.world.run(["turnutils_natdiscovery", *words, "-L", FIRST, "-p", self.port, FIRST]).stdout

    @programs.needs("turnutils_natdiscovery")
    def test_turnutils_natdiscovery(self):
        self.assertIn("Endpoint Independent Mapping", self.discovery("-m"))
        self.assertIn("Endpoint Independent Mapping", self.discovery("-m", "-P"))
        self.assertIn("Endpoint Independent Filtering", self.discovery("-f"))
        self.assertIn("successful hairpinning", self.discovery("-H"))

    @programs.needs("stun")
    def test_stun_client_of_rfc_3489(self):
        self.assertIn("Primary: Open", self.world.run(["stun", f"{FIRST}:{self.port}"]).stdout)

    @programs.needs("stunc")
    def test_stunc_of_sofia_sip(self):
        self.assertIn("Open Internet", self.world.run(["stunc", f"{FIRST}:{self.port}", "-n"]).stdout)


if __name__ == "__main__":
    unittest.main()
