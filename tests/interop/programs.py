# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""stiled, stile and other people's programs for tests: each in a folder of its own, all ended by id.

    with programs.World() as world:
        server = world.stiled()                       # at 127.0.0.1, on free ports
        alice = server.login("alice")                 # an account and a logged-in home
        share = world.share(alice, {"a.txt": b"hello"})
        result = alice.stile("get", "alice@example.org/a.txt", "-o", "-")

What a sanitizer reports in any of our programs fails the test that started it, when the World ends.
"""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

DOMAIN = "example.org"
LOOPBACK = "127.0.0.1"
PATIENCE = 30  # seconds; sanitized programs on a busy machine
SANITIZER = re.compile(r"ERROR: \w*Sanitizer|runtime error:|Assertion .* failed|STILE_ASSERT")


def excerpt(output):
    """What a sanitizer reports, without the depths of the stack."""
    lines = [line[:300] for line in output.splitlines() if not re.match(r"\s+#(\d\d|[3-9])", line)]
    return "\n".join(lines[-80:])


def bin_folder():
    folder = os.environ.get("STILE_BIN")
    if not folder or not os.path.exists(os.path.join(folder, "stiled")):
        print("skipped: STILE_BIN names no folder with stile and stiled")
        sys.exit(77)
    return folder


def needs(*names):
    """Skips the test where one of these programs is not installed."""
    missing = [name for name in names if not shutil.which(name)]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


def free_port(address=LOOPBACK):
    """A port that neither UDP nor TCP uses there now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind((address, 0))
            port = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                try:
                    datagram.bind((address, port))
                    return port
                except OSError:
                    continue


def wait_until(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Program:
    """A program that runs beside the test; what it says goes to a file."""

    def __init__(self, world, name, words, **options):
        self.name = name
        self.path = world.file(f"{name}.log")
        host = options.pop("host", None)
        words = [str(word) for word in words]
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen(host.command(words) if host else words, stdout=log,
                                            stderr=subprocess.STDOUT, **options)
        world.programs.append(self)

    def output(self):
        with open(self.path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_for(self, pattern, seconds=PATIENCE):
        """The match of this pattern in what the program says."""
        def look():
            found = re.search(pattern, self.output(), re.MULTILINE)
            if not found and self.process.poll() is not None:
                found = re.search(pattern, self.output(), re.MULTILINE)
                if not found:
                    raise AssertionError(f"{self.name} ended ({self.process.returncode}) before it said "
                                         f"/{pattern}/:\n{self.output()}")
            return found
        try:
            return wait_until(look, f"{self.name} says /{pattern}/", seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.output()}") from None

    def wait(self, seconds=PATIENCE):
        return self.process.wait(seconds)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Person:
    """Somebody's `stile` on one device: a home of its own."""

    def __init__(self, world, name, host=None):
        self.world = world
        self.host = host
        self.name = name
        self.home = world.folder(name)
        self.environment = dict(os.environ, STILE_HOME=self.home)
        if host is None:
            self.environment["STILE_LOOPBACK"] = "1"

    def words(self, *words):
        return [os.path.join(bin_folder(), "stile"), *words]

    def stile(self, *words, seconds=60):
        """Runs `stile` to its end; fails where a sanitizer has something to say."""
        words = [str(word) for word in self.words(*words)]
        done = subprocess.run(self.host.command(words) if self.host else words, env=self.environment,
                              capture_output=True, text=True, timeout=seconds)
        report = SANITIZER.search(done.stdout + done.stderr)
        if report:
            raise AssertionError(f"{' '.join(words)}:\n{excerpt(done.stdout + done.stderr)}")
        return done

    def start(self, name, *words):
        return Program(self.world, name, self.words(*words), env=self.environment, host=self.host)

    def account(self):
        """What the login left: address, key, certificate, authority and ports."""
        with sqlite3.connect(os.path.join(self.home, "stile.db")) as store:
            row = store.execute("SELECT address, key_pem, certificate_pem, settings FROM account").fetchone()
        return dict(json.loads(row[3]), address=row[0], key=row[1], certificate=row[2])

    def move_to(self, **settings):
        """Points the stored login to another server or ports."""
        with sqlite3.connect(os.path.join(self.home, "stile.db")) as store:
            old = json.loads(store.execute("SELECT settings FROM account").fetchone()[0])
            store.execute("UPDATE account SET settings = ?", (json.dumps(dict(old, **settings)),))


class Stiled:
    """A server of our own, ready."""

    def __init__(self, world, name, address, plain_compatible, allow_peers, state, host, domain,
                 rfc5766_channels):
        self.world = world
        self.host = host
        self.address = address
        self.domain = domain
        self.state = state or world.folder(f"{name}-state")
        if host is None:
            self.sip, self.sips, self.turn, self.https = (free_port(address) for _ in range(4))
        else:
            self.sip, self.sips, self.turn, self.https = 5060, 5061, 3478, 8443
        self.config = world.file(f"{name}.toml")
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(f'domain = "{domain}"\nstate_directory = "{self.state}"\n[listen]\n')
            for key in ("sip", "sips", "turn", "https"):
                config.write(f'{key} = ["{address}:{getattr(self, key)}"]\n')
            config.write(f"[turn]\nallow_peers = {json.dumps(list(allow_peers))}\n"
                         f"rfc5766_channels = {json.dumps(rfc5766_channels)}\n"
                         f"[accounts]\nplain_compatible = {json.dumps(plain_compatible)}\n")
        self.program = Program(world, name, [os.path.join(bin_folder(), "stiled"), "run", "--config",
                                             self.config], host=host)
        self.program.wait_for("^Ready")

    def command(self, *words):
        done = subprocess.run([os.path.join(bin_folder(), "stiled"), *words, "--config", self.config],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"stiled {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def add_user(self, name):
        """A modern account; its login link."""
        return self.command("user", "add", name, "--link-only").strip()

    def add_compatible_user(self, name):
        """An account for a stock phone: its password and its login link."""
        said = self.command("user", "add", name, "--compatible")
        return (re.search(r"^Password\s+(\S+)", said, re.MULTILINE)[1],
                re.search(r"https://[^\s']+", said)[0])

    def new_link(self, name):
        return self.command("user", "link", name, "--link-only").strip()

    def login(self, name, link=None, device=None, host=None):
        """Makes the account unless a link is given, and logs a new device in."""
        person = Person(self.world, device or name, host)
        done = person.stile("login", link or self.add_user(name))
        if done.returncode != 0:
            raise AssertionError(f"login as {name}: {done.stderr}")
        return person

    def setting(self, name):
        """A value of the server's own store."""
        with sqlite3.connect(f"file:{self.state}/stiled.db?mode=ro", uri=True) as store:
            row = store.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0]

    def bindings(self, user):
        """Contacts that the store has for this user."""
        with sqlite3.connect(f"file:{self.state}/stiled.db?mode=ro", uri=True) as store:
            return [row[0] for row in
                    store.execute("SELECT contact FROM binding WHERE user = ?", (user,)).fetchall()]


class World:
    """A temporary folder and the programs started in it."""

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="stile-interop-")
        self.programs = []
        self.checked = set()
        return self

    def __exit__(self, kind, error, _):
        for program in reversed(self.programs):
            program.end()
        reports = [f"{program.name}:\n{excerpt(program.output())}" for program in self.programs
                   if SANITIZER.search(program.output())]
        if kind is not None:
            for program in self.programs:
                print(f"--- {program.name} ({program.process.returncode})\n{excerpt(program.output())}",
                      file=sys.stderr)
        shutil.rmtree(self.root, ignore_errors=True)
        if reports and kind is None:
            raise AssertionError("a sanitizer reports\n" + "\n".join(reports))

    def file(self, name):
        path = os.path.join(self.root, name)
        stem, number = path, 2
        while os.path.exists(path):
            path, number = f"{stem}.{number}", number + 1
        return path

    def folder(self, name):
        path = self.file(name)
        os.makedirs(path)
        return path

    def write(self, name, text):
        path = self.file(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def stiled(self, name="stiled", address=LOOPBACK, plain_compatible=False, allow_peers=("127.0.0.0/8",),
               state=None, host=None, domain=DOMAIN, rfc5766_channels=False):
        return Stiled(self, name, address, plain_compatible, allow_peers, state, host, domain,
                      rfc5766_channels)

    def start(self, name, words, **options):
        return Program(self, name, words, **options)

    def run(self, words, seconds=60, host=None, **options):
        """A foreign program, to its end."""
        words = [str(word) for word in words]
        return subprocess.run(host.command(words) if host else words, text=True, timeout=seconds,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)

    def share(self, person, files, name="share"):
        """`stile share` of these files, registered."""
        folder = self.folder(f"{name}-files")
        for file, content in files.items():
            with open(os.path.join(folder, file), "wb") as out:
                out.write(content)
        program = person.start(name, "share", folder)
        program.wait_for("^Ready")
        return program
