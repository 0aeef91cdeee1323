# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""`stile doctor` notices that two clocks differ: the server here says what time it likes."""
import base64
import email.utils
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import unittest

import programs

DONE, NOT_AUTHORISED, NO_PATH = 0, 5, 6
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", *CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "30")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def text(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def fingerprint(self):
        der = ssl.PEM_cert_to_DER_cert(self.text("ca.pem"))
        return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()

    def certify(self, request, certificate, days=30):
        self.openssl("x509", "-req", "-in", request, "-out", certificate, "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", str(days), "-copy_extensions", "copy")
        # A login knows the authority by its fingerprint alone, so the chain has to show it.
        chain = self.text(certificate) + self.text("ca.pem")
        with open(self.path("chain-" + certificate), "w", encoding="ascii") as file:
            file.write(chain)

    def has_run_out(self, certificate):
        return subprocess.run(["openssl", "x509", "-in", certificate, "-checkend", "0", "-noout"], cwd=self.folder,
                              capture_output=True, check=False).returncode == 1

    def make_server_request(self):
        self.openssl("req", "-new", *CURVE, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=example.org",
                     "-addext", "subjectAltName=IP:127.0.0.1,DNS:example.org")


class Server:
    """As much of stiled as a login and a doctor ask over HTTPS, with a clock of its own."""

    def __init__(self, authority):
        self.ahead = 0
        authority.make_server_request()
        authority.certify("server.csr", "server.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(authority.path("chain-server.pem"), authority.path("server.key"))
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + server.ahead, usegmt=True)

            def answer(self, body):
                octets = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def do_GET(self):
                self.answer({"username": "u", "password": "p", "ttl": 600, "stun": [], "turn": []})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with open(authority.path("user.csr"), "w", encoding="ascii") as file:
                    file.write(asked["request"])
                authority.certify("user.csr", "user.pem")
                self.answer({"address": "alice@example.org", "certificate": authority.text("user.pem"),
                             "ca": authority.text("ca.pem"), "sips_port": server.port})

        class Listener(http.server.ThreadingHTTPServer):
            def get_request(self):
                stream, address = super().get_request()
                return server.context.wrap_socket(stream, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, *_):
                pass  # who does not like the certificate says so at its own end

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


class Clock(unittest.TestCase):
    def setUp(self):
        self.scene = self.enterContext(programs.Scene(environment={"STILE_LOOPBACK": "1"}))
        self.authority = Authority(self.scene.folder)
        self.server = Server(self.authority)
        self.addCleanup(self.server.close)
        self.alice = programs.Person(self.scene, "alice", self.scene.place)
        link = f"https://127.0.0.1:{self.server.port}/login#alice.token.{self.authority.fingerprint()}"
        answer = self.alice.run("login", link)
        self.assertEqual(answer.code, DONE, answer)

    def topics(self, code):
        answer = self.alice.run("doctor", "--json")
        self.assertEqual(answer.code, code, answer)
        report = json.loads(answer.out)
        return report, {finding["topic"]: finding for finding in report["findings"]}

    def test_clocks_that_agree_and_that_differ(self):
        for ahead, level, words in ((0, "good", "as the server's"), (-3600, "bad", "ahead of the server's"),
                                    (90, "note", "behind the server's"), (40 * 86400, "bad", "days behind")):
            with self.subTest(ahead):
                self.server.ahead = ahead
                # This server has no relay and no STUN: nobody could be reached through it.
                report, topics = self.topics(NO_PATH)
                self.assertEqual(topics["Clock"]["level"], level, report)
                self.assertIn(words, topics["Clock"]["found"])
                self.assertAlmostEqual(report["clock_ahead_s"], -ahead, delta=10)
                if level != "good":
                    self.assertIn("timedatectl", topics["Clock"]["fix"])

    def test_a_certificate_that_is_not_valid_at_this_time(self):
        self.authority.certify("server.csr", "expired.pem", days=0)
        programs.until(lambda: self.authority.has_run_out("expired.pem"), 10, "the certificate has run out")
        self.server.context.load_cert_chain(self.authority.path("chain-expired.pem"),
                                            self.authority.path("server.key"))
        report, topics = self.topics(NOT_AUTHORISED)
        for topic in ("HTTPS", "SIP"):
            self.assertEqual(topics[topic]["level"], "bad", report)
            self.assertIn("set the clock", topics[topic]["fix"])
        self.assertIn("not valid at this machine's time", report["verdict"])


if __name__ == "__main__":
    unittest.main()
