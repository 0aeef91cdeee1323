# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Client, server and peer in network namespaces of their own, and the programs that run there.

Everything lives in private mount and network namespaces that enter() puts this program in, so
nothing is left when it ends, however it ends.
"""
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DISCARD = 9  # what goes there is dropped at the server's door
OPEN_FILES = 1 << 18  # two sockets an allocation, and some
INSIDE = "STILE_BENCH_TURN"
SIGKILL_AT_PARENTS_END = (1, signal.SIGKILL)  # prctl(PR_SET_PDEATHSIG, ...)


def enter():
    """Runs this program again in namespaces of its own; returns only there."""
    if os.environ.get(INSIDE):
        raise_file_limit()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        os.makedirs("/run/netns")
        return
    for tool in ("unshare", "ip", "nft"):
        if not shutil.which(tool):
            sys.exit(f"bench turn needs the program '{tool}'")
    flags = ["--mount", "--net"]
    if os.geteuid() != 0:
        flags += ["--user", "--map-root-user"]
    probe = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        sys.exit(f"bench turn needs network namespaces, and unshare says: {probe.stderr.strip()}")
    sys.stdout.flush()
    os.execvpe("unshare", ["unshare", *flags, sys.executable, *sys.argv], dict(os.environ, **{INSIDE: "1"}))


def raise_file_limit():
    """As far as the machine allows."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    except ValueError:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def end_with_parent():
    ctypes.CDLL(None).prctl(*SIGKILL_AT_PARENTS_END)


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


class Namespace:
    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
        # Nothing but our own traffic on these links.
        self.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"])

    def command(self, words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, words, **options):
        return subprocess.run(self.command(words), check=True, **options)


def drop_discards(namespace, interfaces):
    """At the first place where a packet can be dropped without BPF."""
    chains = "".join(f"""
  chain door{number} {{ type filter hook ingress device "{interface}" priority -500;
    udp dport {DISCARD} drop; }}""" for number, interface in enumerate(interfaces))
    namespace.run(["nft", "-f", "-"], input=f"table netdev door {{{chains}\n}}\n", text=True)


class Place:
    """Where one server runs: a namespace with a link to the clients and one to the peers."""

    def __init__(self, name, number, client, peer):
        self.namespace = Namespace(name)
        self.client_namespace, self.peer_namespace = client, peer
        self.listen, self.clients = f"10.{number}.1.1", [f"10.{number}.1.2", f"10.{number}.1.3"]
        self.relay, self.peer = f"10.{number}.2.1", f"10.{number}.2.2"
        self.relays = [self.relay, f"10.{number}.2.3"]
        self.open_peers = "10.0.0.0/8"
        for far, near, far_addresses, near_addresses in (
                (client, "clients", self.clients, [self.listen]), (peer, "peers", [self.peer], self.relays)):
            ip("-n", name, "link", "add", near, "type", "veth", "peer", "name", name, "netns", far.name)
            for address in near_addresses:
                ip("-n", name, "addr", "add", f"{address}/24", "dev", near)
            for address in far_addresses:
                ip("-n", far.name, "addr", "add", f"{address}/24", "dev", name)
            ip("-n", name, "link", "set", near, "up")
            ip("-n", far.name, "link", "set", name, "up")
        drop_discards(self.namespace, ["clients", "peers"])

    def generator_words(self):
        return ["--client-netns", self.client_namespace.path, "--server-netns", self.namespace.path,
                "--peer-netns", self.peer_namespace.path, "--client", ",".join(self.clients), "--peer", self.peer,
                "--relay", self.relay]


class LoopbackPlace:
    """All on one machine's loopback interface, in a namespace of its own."""

    def __init__(self, name):
        self.namespace = Namespace(name)
        self.listen = self.relay = "127.0.0.1"
        self.relays = ["127.0.0.1", "127.0.0.4"]
        self.clients, self.peer = ["127.0.0.2"], "127.0.0.3"
        self.open_peers = "127.0.0.0/8"
        drop_discards(self.namespace, ["lo"])

    def generator_words(self):
        path = self.namespace.path
        return ["--client-netns", path, "--server-netns", path, "--peer-netns", path,
                "--client", ",".join(self.clients), "--peer", self.peer,
                "--relay", self.relay]


class Program:
    """A server, ready; its output goes to a file."""

    def __init__(self, place, words, folder, ready, environment=None):
        self.log = pathlib.Path(folder) / "output.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(place.namespace.command(words), stdout=log, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, cwd=folder, preexec_fn=end_with_parent,
                                            env=dict(os.environ, **(environment or {})))
        deadline = time.monotonic() + 20
        while not re.search(ready, self.output(), re.MULTILINE):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise RuntimeError(f"{words[0]} did not say /{ready}/:\n{self.output()[-2000:]}")
            time.sleep(0.02)

    def output(self):
        return self.log.read_text(errors="replace")

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class World:
    """The namespaces, a temporary folder and the programs of one run."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-turn-", dir="/dev/shm"))
        self.programs = []
        self.client, self.peer = Namespace("client"), Namespace("peer")
        self.places = 0
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.end()
        for namespace in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.splitlines():
            subprocess.run(["ip", "netns", "delete", namespace.split()[0]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, name):
        self.places += 1
        return Place(name, self.places, self.client, self.peer)

    def start(self, place, server):
        """The server of this description (servers.py) at this place."""
        folder = self.folder / place.namespace.name
        folder.mkdir(exist_ok=True)
        facts = server.facts(place, folder)
        for name, text in server.files.items():
            (folder / name).write_text(server.fill(text, facts))
        program = Program(place, [server.fill(word, facts) for word in server.command], folder, server.ready,
                          server.environment)
        self.programs.append(program)
        return program
