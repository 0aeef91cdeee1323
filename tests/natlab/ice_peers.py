# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that speak ICE and nothing else, ours and other people's, and the signalling between two.

    one = Peer(ours("--turn", relay), controlling=True)
    two = Peer(["/usr/bin/python3", "aioice_peer.py"], controlling=False)
    signal(one, two)
    one.wait("selected"), two.wait("received")

Each reads its peer's SDP attributes, one a line, and the words send, restart, pairs and close; each
writes one JSON object a line, with "event" and "at". tests/ice_peer/main.cpp lists them.
"""
import json
import os
import subprocess
import threading
import time

PATIENCE = 30  # seconds; sanitized programs on a busy machine
TRICKLED = ("description", "candidate", "end-of-candidates")


def program():
    return os.path.join(os.environ.get("STILE_BIN", ""), "stile_ice_peer")


def ours(*words):
    """The command line of our side; the role is the Peer's to add."""
    return [program(), *map(str, words)]


class Peer:
    """A running program. `host` has command(words), as lab.Host; `role` makes words of the role."""

    def __init__(self, words, controlling, host=None, role=None, name="peer", **options):
        self.name, self.controlling = name, controlling
        words = [*map(str, words), *(role or ours_role)(controlling)]
        self.events, self.other = [], None
        self.changed, self.writing = threading.Condition(), threading.Lock()
        self.process = subprocess.Popen(host.command(words) if host else words, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.complaints = []
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self._read, self._complain)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                self.complaints.append(line)
                continue
            with self.changed:
                self.events.append(event)
                other = self.other
                self.changed.notify_all()
            if other:
                other.take(event)
        with self.changed:
            self.changed.notify_all()

    def _complain(self):
        self.complaints.extend(self.process.stderr)

    def tell(self, *lines):
        try:
            with self.writing:  # a test writes, and what reads the other side
                self.process.stdin.write("".join(line + "\n" for line in lines))
                self.process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it has ended, which wait() says

    def take(self, event):
        """What the signalling brings of the other side."""
        kind = event["event"]
        if kind == "description":
            self.tell(f"a=ice-ufrag:{event['ufrag']}", f"a=ice-pwd:{event['pwd']}")
        elif kind == "candidate":
            self.tell(event["line"])
        elif kind == "end-of-candidates":
            self.tell("a=end-of-candidates")

    def trickle_to(self, other, since=0):
        """All that was said from that place in self.events on goes to the other side, and all that will be."""
        with self.changed:
            past = [event for event in self.events[since:] if event["event"] in TRICKLED]
            self.other = other
            for event in past:
                other.take(event)

    def all(self, kind, since=0, **fields):
        return [event for event in self.events[since:] if event["event"] == kind
                and all(event.get(key) == value for key, value in fields.items())]

    def wait(self, kind, seconds=PATIENCE, since=0, **fields):
        """The first such event, from that place in self.events on."""
        return self._wait(lambda: self.all(kind, since, **fields), f"{kind} {fields or ''}", seconds)

    def wait_for_state(self, *states, seconds=PATIENCE, since=0):
        """The first state that is one of these."""
        return self._wait(lambda: [event for event in self.all("state", since) if event["state"] in states],
                          f"state {' or '.join(states)}", seconds)

    def _wait(self, look, what, seconds):
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                found = look()
                if found:
                    return found[0]
                left = end - time.monotonic()
                if left <= 0 or self.process.poll() is not None and not self.threads[0].is_alive():
                    raise AssertionError(f"{self.name}: no {what} in {seconds} s\n{self.story()}")
                self.changed.wait(min(left, 0.2))

    def last(self, kind):
        found = self.all(kind)
        return found[-1] if found else None

    def story(self):
        lines = [json.dumps(event) for event in self.events]
        return "\n".join([f"--- {self.name} ({self.process.poll()})", *lines, *map(str.rstrip, self.complaints)])

    def close(self, seconds=10):
        """Ends it in peace; what a sanitizer or the program complained of is an error."""
        self.other = None
        self.tell("close")
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._end_pipes()
        if code != 0:
            raise AssertionError(f"{self.name} ended with {code}\n{self.story()}")

    def kill(self):
        """Ends it without a word to anybody."""
        self.other = None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self._end_pipes()

    def _end_pipes(self):
        for thread in self.threads:
            thread.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


def ours_role(controlling):
    return [] if controlling else ["--controlled"]


def signal(one, two):
    """Carries each side's description and candidates to the other, as they come (RFC 8838); the moment."""
    begin = time.monotonic()
    two.trickle_to(one)
    one.trickle_to(two)
    return begin


def signal_complete(one, two, seconds=PATIENCE):
    """The same when both have gathered all; the moment."""
    for peer in (one, two):
        peer.wait("end-of-candidates", seconds)
    return signal(one, two)
