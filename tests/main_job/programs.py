# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""stiled, two accounts and what their owners run, for tests of the whole.

    with Scene(server=Here()) as scene:
        scene.start_server()
        alice = scene.login("alice")
        share = alice.start("share", folder)
        share.wait_for("^Ready")
        answer = bob.run("get", "alice@example.org/feed.xml", "-o", "-")

A place says where a program runs: this machine (Here) or a host of the NAT lab. The output of every
program is looked through for reports of the sanitizers when the scene ends; one of them, or a
program that ends by a signal nobody sent, fails the test.
"""
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

DOMAIN = "example.org"
# No command may take longer, whatever the network does: timers of SIP end after 32 s (RFC 3261).
MOST_SECONDS = 60
SANITIZER = re.compile(r"Sanitizer|runtime error:")


class Failed(AssertionError):
    pass


def programs_folder():
    return os.environ["STILE_BIN"]


class Here:
    """This machine and its loopback addresses."""
    address = "127.0.0.1"

    def command(self, words):
        return [str(word) for word in words]


class Answer:
    """What became of a command."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return f"exit {self.code} after {self.seconds:.1f} s\n{self.out}{self.err}"


class Program:
    """A program that goes on, and the lines that it has printed."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.killed = False

    def _read(self):
        with self.process.stdout as output:
            for line in output:
                with self.changed:
                    self.lines.append(line.decode(errors="replace").rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.lines.append(None)  # the end
            self.changed.notify_all()

    def text(self):
        with self.changed:
            return "\n".join(line for line in self.lines if line is not None)

    def mark(self):
        """A place in the output, for wait_for."""
        with self.changed:
            return len(self.lines)

    def wait_for(self, pattern, seconds=30, since=0):
        """The match in the first line from `since` on that has it."""
        wanted = re.compile(pattern)
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                for line in self.lines[since:]:
                    found = wanted.search(line) if line is not None else None
                    if found:
                        return found
                left = until - time.monotonic()
                if left <= 0 or (self.lines and self.lines[-1] is None):
                    break
                self.changed.wait(left)
        raise Failed(f"{self.name} did not say '{pattern}' in {seconds} s; it said:\n{self.text()}")

    def running(self):
        return self.process.poll() is None

    def memory_octets(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait()
        self.reader.join(5)

    def end(self, how=signal.SIGINT, seconds=10):
        """Asks it to end; the exit code."""
        if self.running():
            self.process.send_signal(how)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end in {seconds} s after {how!r}:\n{self.text()}") from None
        self.reader.join(5)
        return code


class Person:
    """Somebody with a home folder on some place."""

    def __init__(self, scene, name, place):
        self.scene, self.name, self.place = scene, name, place
        self.address = f"{name}@{DOMAIN}"
        self.home = os.path.join(scene.folder, name)
        self.environment = dict(scene.environment, STILE_HOME=self.home)

    def run(self, *words, **options):
        return self.scene.run(self.place, ["stile", *words], environment=self.environment, **options)

    def start(self, *words):
        return self.scene.start(f"stile {words[0]} of {self.name}", self.place, ["stile", *words],
                                self.environment)

    def share(self, folder, *words):
        program = self.start("share", folder, *words)
        program.wait_for("^Ready")
        return program

    def gateway(self, *words):
        program = self.start("gateway", *words)
        program.base = program.wait_for(r"^Ready +(http://\S+)").group(1)
        return program


class Scene:
    def __init__(self, server=None, environment=None, allow_peers="127.0.0.0/8"):
        self.place = server or Here()
        self.folder = tempfile.mkdtemp(prefix="stile-test-")
        inherited = {name: value for name, value in os.environ.items()
                     if name in ("PATH", "LANG", "LC_ALL", "STILE_NATLAB")}
        # Reports end a program at once, with a status that nothing else has.
        self.environment = dict(inherited, HOME=self.folder, ASAN_OPTIONS="exitcode=99:quarantine_size_mb=16",
                                UBSAN_OPTIONS="exitcode=99:print_stacktrace=1", **(environment or {}))
        self.programs = []
        self.server = None
        self.allow_peers = allow_peers
        self.config = os.path.join(self.folder, "stiled.toml")
        self.ports = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        complaints = []
        for program in reversed(self.programs):
            try:
                code = program.end()
                if code != 0 and not program.killed:
                    complaints.append(f"{program.name} ended with {code}")
            except Failed as failure:
                complaints.append(str(failure))
            report = self.report_in(program.text())
            if report:
                complaints.append(f"{program.name}: {report}")
        if kind is not None:
            for program in self.programs:
                print(f"---- {program.name}\n{program.text()}")
        shutil.rmtree(self.folder)
        if complaints:
            raise Failed("\n".join(complaints))

    @staticmethod
    def report_in(text):
        found = SANITIZER.search(text)
        return text[max(0, found.start() - 200):found.start() + 4000] if found else None

    # ---- programs ----------------------------------------------------------------------------

    def command(self, place, words):
        return place.command([os.path.join(programs_folder(), words[0]), *words[1:]])

    def run(self, place, words, environment=None, seconds=MOST_SECONDS, binary=False):
        started = time.monotonic()
        try:
            done = subprocess.run(self.command(place, words), env=environment or self.environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{' '.join(map(str, words))} went on after {seconds} s; it said:\n"
                         f"{(late.stdout or b'').decode()}{(late.stderr or b'').decode()}") from None
        err = done.stderr.decode(errors="replace")
        report = self.report_in(err)
        if report:
            raise Failed(f"{' '.join(map(str, words))}: {report}")
        out = done.stdout if binary else done.stdout.decode(errors="replace")
        return Answer(done.returncode, out, err, time.monotonic() - started)

    def start(self, name, place, words, environment=None):
        program = Program(name, self.command(place, words), environment or self.environment)
        self.programs.append(program)
        return program

    # ---- the server --------------------------------------------------------------------------

    def write_config(self, ports=None):
        """A configuration with ports that are free on this machine, or the usual ones."""
        self.ports = ports or {"sip": 5060, "sips": 5061, "turn": 3478, "https": 8443}
        listen = "".join(f'{name} = ["{self.place.address}:{port}"]\n' for name, port in self.ports.items())
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'domain = "{DOMAIN}"\nstate_directory = "{self.folder}/server"\n'
                       f'[listen]\n{listen}[turn]\nallow_peers = ["{self.allow_peers}"]\n')

    def stiled(self, *words, **options):
        return self.run(self.place, ["stiled", *words, "--config", self.config], **options)

    def start_server(self):
        self.server = self.start("stiled", self.place, ["stiled", "run", "--config", self.config])
        self.server.wait_for("^Ready")
        return self.server

    def login_link(self, name):
        answer = self.stiled("user", "add", name, "--link-only")
        if answer.code != 0:
            raise Failed(str(answer))
        return answer.out.strip()

    def login(self, name, place=None):
        """Makes the account and logs in."""
        person = Person(self, name, place or self.place)
        answer = person.run("login", self.login_link(name))
        if answer.code != 0:
            raise Failed(str(answer))
        return person


class SharedFolder(unittest.TestCase):
    """A server, alice with a folder to share, and bob, on this machine."""

    def setUp(self):
        self.scene = self.enterContext(Scene(environment={"STILE_LOOPBACK": "1"}))
        self.scene.write_config(free_ports(("sip", "sips", "turn", "https")))
        self.scene.start_server()
        self.alice, self.bob = self.scene.login("alice"), self.scene.login("bob")
        self.folder = os.path.join(self.scene.folder, "shared")
        os.mkdir(self.folder)

    def write(self, name, content):
        with open(os.path.join(os.fsencode(self.folder), os.fsencode(name)), "wb") as file:
            file.write(content)
            return file.name


def free_ports(names):
    """Ports that nothing uses now, for UDP and TCP."""
    held, ports = [], {}
    for name in names:
        while True:
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            held += [tcp, udp]
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            ports[name] = tcp.getsockname()[1]
            break
    for one in held:
        one.close()
    return ports


def sha256_of(stream):
    """(digest, octets) of what can be read."""
    digest, octets = hashlib.sha256(), 0
    while block := stream.read(1 << 20):
        digest.update(block)
        octets += len(block)
    return digest.hexdigest(), octets


def sha256_of_file(path):
    with open(path, "rb") as file:
        return sha256_of(file)[0]


def until(condition, seconds, what):
    """Asks again and again until the condition gives something true; that."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.05)
