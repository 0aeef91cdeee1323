# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Chromium with iceTransportPolicy "relay" over turn: by UDP and TCP, and turns:."""
import http.server
import json
import os
import queue
import threading
import unittest
import urllib.parse

import programs
import relay_servers as relays

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients", "relayed_call.html")


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves the page, and takes what it posts."""

    def do_GET(self):
        with open(PAGE, "rb") as page:
            body = page.read()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@programs.needs("chromium")
class Browser(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.relay = relays.Relay(self.world)
        self.pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.pages.results = queue.Queue()
        threading.Thread(target=self.pages.serve_forever, daemon=True).start()
        self.addCleanup(self.pages.server_close)
        self.addCleanup(self.pages.shutdown)

    def call(self, url):
        query = urllib.parse.urlencode({"url": url, "user": relays.USER, "password": relays.PASSWORD})
        home = self.world.folder("chromium")
        browser = self.world.start("chromium", [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--allow-loopback-in-peer-connection", "--ignore-certificate-errors", f"--user-data-dir={home}/data",
            f"http://127.0.0.1:{self.pages.server_port}/?{query}"], env=dict(os.environ, HOME=home))
        try:
            return self.pages.results.get(timeout=60)
        except queue.Empty:
            self.fail(f"the browser says nothing:\n{browser.output()[-2000:]}")
        finally:
            browser.end()

    def assert_relayed(self, url, protocol):
        result = self.call(url)
        self.assertEqual(result.get("echoed"), 50, result)
        self.assertTrue(result["kinds"], result)
        for kind in result["kinds"]:
            self.assertEqual(kind, f"relay {protocol}", result)
        self.assertTrue(self.relay.is_running(), "the server ended")

    def test_turn_over_udp(self):
        self.assert_relayed(f"turn:{relays.SERVER}:{relays.PORT}", "udp")

    def test_turn_over_tcp(self):
        self.assert_relayed(f"turn:{relays.SERVER}:{relays.PORT}?transport=tcp", "tcp")

    def test_turns(self):
        self.assert_relayed(f"turns:{relays.SERVER}:{relays.TLS_PORT}?transport=tcp", "tls")


if __name__ == "__main__":
    relays.enter()
    unittest.main()
