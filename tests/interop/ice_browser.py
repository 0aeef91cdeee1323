# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Chromium as one side of ICE, with the manners of ice_peers.Peer."""
import contextlib
import http.server
import json
import os
import queue
import threading
import time
import urllib.parse

import ice_peers
import programs

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients", "ice_peer.html")


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves the page, takes what it says and hands it what it is told."""

    def answer(self, body, kind):
        with contextlib.suppress(ConnectionError):  # the browser may have ended
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_GET(self):
        if self.path != "/next":
            with open(PAGE, "rb") as page:
                return self.answer(page.read(), "text/html; charset=utf-8")
        lines = []
        try:
            lines.append(self.server.lines.get(timeout=5))
            while True:
                lines.append(self.server.lines.get_nowait())
        except queue.Empty:
            pass
        return self.answer(json.dumps(lines).encode(), "application/json")

    def do_POST(self):
        self.server.peer.heard(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(b"", "text/plain")

    def log_message(self, *_):
        pass


class BrowserPeer(ice_peers.Peer):
    """A page in a browser of its own, started in the programs.World."""

    def __init__(self, world, controlling, turn="", user="", password="", relay_only=False):
        self.name, self.controlling = "chromium", controlling
        self.events, self.complaints, self.other = [], [], None
        self.changed = threading.Condition()
        self.pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.pages.daemon_threads, self.pages.block_on_close = True, False
        self.pages.peer, self.pages.lines = self, queue.Queue()
        self.threads = [threading.Thread(target=self.pages.serve_forever, daemon=True)]
        self.threads[0].start()
        query = urllib.parse.urlencode({"role": "controlling" if controlling else "controlled", "turn": turn,
                                        "user": user, "password": password,
                                        "policy": "relay" if relay_only else "all"})
        home = world.folder("chromium")
        self.browser = world.start("chromium", [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--allow-loopback-in-peer-connection", f"--user-data-dir={home}/data",
            f"http://127.0.0.1:{self.pages.server_port}/?{query}"], env=dict(os.environ, HOME=home))
        self.process = self.browser.process
        self.wait("ready")

    def heard(self, event):
        event["at"] = time.monotonic()
        with self.changed:
            self.events.append(event)
            other = self.other
            self.changed.notify_all()
        if other:
            other.take(event)

    def tell(self, *lines):
        for line in lines:
            self.pages.lines.put(line)

    def traffic(self):
        """The state, the role and the octets received on the selected pair, now."""
        at = len(self.events)
        self.tell("traffic")
        return self.wait("traffic", since=at)

    def kill(self):
        self.other = None
        self.process.kill()
        self.process.wait()

    def close(self, seconds=10):
        self.other = None
        self.browser.end()
        self.pages.shutdown()
        self.pages.server_close()


def assert_receives(ours, browser):
    """What we send arrives on the browser's pair, though its DTLS has no use for it."""
    def counts():
        before = browser.traffic()
        ours.tell("send " + "x" * 1000)
        time.sleep(0.05)
        after = browser.traffic()
        return after["pair"] == before["pair"] and after["octets"] >= before["octets"] + 1000

    programs.wait_until(counts, "the browser's octets count ours")
