# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""stile-turnd as an operator has it: started without a configuration, reloaded, drained and restarted while it
relays, asked for metrics and sessions, and put in the place of a coturn."""
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

import programs
import turn_wire

ADDRESS = programs.LOOPBACK
PEER = "127.0.0.2"
USER, PASSWORD, REALM = "alice", "wonderland", "example.org"


def turnd():
    return os.path.join(programs.bin_folder(), "stile-turnd")


class Turnd:
    """A server of its own at 127.0.0.1, ready."""

    def __init__(self, world, extra="", listen="", accounts=True):
        self.world = world
        self.state = world.folder("turnd-state")
        self.port, self.metrics_port = programs.free_port(), programs.free_port()
        self.usage = world.file("usage.jsonl")
        self.config = world.file("turnd.toml")
        self.accounts, self.extra, self.listen = accounts, extra, listen
        self.write()
        self.program = world.start("stile-turnd", [turnd(), "--config", self.config])
        self.program.wait_for("^Ready")
        self.successors = []

    def write(self, turn=""):
        people = f'[accounts]\n{USER} = "{PASSWORD}"\n' if self.accounts else ""
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(f'''realm = "{REALM}"
state_directory = "{self.state}"
{self.extra}
[listen]
udp = ["{ADDRESS}:{self.port}"]
tcp = ["{ADDRESS}:{self.port}"]
{self.listen}
[turn]
relay_addresses = ["{ADDRESS}"]
allow_peers = ["127.0.0.0/8"]
rfc5766_channels = true
{turn}
{people}
[metrics]
listen = "{ADDRESS}:{self.metrics_port}"
usage_file = "{self.usage}"
''')

    def run(self, *words):
        return self.world.run([turnd(), "--config", self.config, *words])

    def command(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: {done.stdout}")
        return done.stdout

    def status(self):
        return json.loads(self.command("status", "--json"))

    def sessions(self):
        return json.loads(self.command("sessions", "--json"))

    def get(self, path):
        with urllib.request.urlopen(f"http://{ADDRESS}:{self.metrics_port}{path}", timeout=30) as answer:
            return answer.read().decode()

    def metric(self, name):
        return float(re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics"), re.MULTILINE)[1])

    def usage_records(self):
        if not os.path.exists(self.usage):
            return []
        with open(self.usage, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


class Echo(threading.Thread):
    """A peer that sends everything back."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((PEER, 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            octets, source = self.socket.recvfrom(65536)
            self.socket.sendto(octets, source)


class Operator(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(programs.World())
        self.addCleanup(self.end_successors)
        self.later = []

    def end_successors(self):
        """Processes that the server started itself are no children of this test."""
        for pid in self.later:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass

    def uclient(self, server, *words, user=USER, password=PASSWORD, start=False):
        command = ["turnutils_uclient", "-v", "-c", "-p", server.port, "-u", user, "-w", password, "-e", PEER,
                   "-r", Echo().port, *words, ADDRESS]
        return self.world.start("uclient", command) if start else self.world.run(command)

    def client(self, server):
        client = turn_wire.Client(ADDRESS, server.port, USER, PASSWORD)
        self.addCleanup(client.close)
        return client

    def totals(self, output):
        found = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", output)
        self.assertTrue(found, output)
        return tuple(map(int, found[-1]))

    @programs.needs("turnutils_uclient")
    def test_starts_without_a_configuration_and_relays_for_who_has_a_credential_of_it(self):
        server = Turnd(self.world, accounts=False)
        self.assertEqual(os.stat(os.path.join(server.state, "secrets")).st_mode & 0o777, 0o600)
        made = json.loads(server.command("credential", "bob", "--json"))
        done = self.uclient(server, "-n", 5, user=made["username"], password=made["password"])
        self.assertEqual(self.totals(done.stdout), (5, 5))
        # A rotated secret is noticed; the one before it stays good.
        server.command("secret", "--rotate")
        fresh = json.loads(server.command("credential", "bob", "--json"))
        server.program.wait_for("A certificate or secret has changed and is in use")
        for each in (made, fresh):
            done = self.uclient(server, "-n", 5, user=each["username"], password=each["password"])
            self.assertEqual(self.totals(done.stdout), (5, 5))

    @programs.needs("turnutils_uclient")
    def test_shows_sessions_figures_and_usage(self):
        server = Turnd(self.world)
        client = self.uclient(server, "-n", 60, "-z", 50, "-l", 100, start=True)
        session = programs.wait_until(lambda: next(iter(server.sessions()), None), "a session is listed")
        self.assertEqual((session["user"], session["transport"]), (USER, "udp"))
        self.assertEqual(len(session["session"]), 12)
        self.assertIn(session["client"], server.command("sessions"))
        shown = server.command("trace", session["session"], "--once")
        self.assertIn(f"relayed at {session['relayed'][0]}", shown)
        client.wait()
        sent, received = self.totals(client.output())
        self.assertEqual((sent, received), (60, 60))
        self.assertGreaterEqual(server.metric('stile_turn_packets_total{direction="to_peer"}'), sent)
        self.assertEqual(server.get("/healthz"), "ok\n")
        records = programs.wait_until(server.usage_records, "a usage record is written")
        self.assertEqual(records[0]["owner"], USER)
        self.assertGreaterEqual(records[0]["traffic"]["octets_to_peers"], 60 * 100)

    @programs.needs("turnutils_uclient")
    def test_a_reload_under_load_loses_nothing_and_a_bad_file_changes_nothing(self):
        server = Turnd(self.world)
        client = self.uclient(server, "-m", 5, "-n", 400, "-z", 5, "-l", 172, start=True)
        programs.wait_until(server.sessions, "sessions are there")
        for number in range(1, 6):
            server.write(turn=f"allocations_per_user = {20 + number}")
            server.command("reload")
            self.assertEqual(server.status()["reloads"], number)
        server.write(turn="allocations_per_usr = 3")
        refused = server.run("reload")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("did you mean 'allocations_per_user'?", refused.stdout)
        self.assertRegex(refused.stdout, r"turnd\.toml:\d+:1: unknown key")
        self.assertEqual(server.status()["reloads"], 5)
        client.wait()
        self.assertEqual(self.totals(client.output()), (2000, 2000))

    @programs.needs("turnutils_uclient")
    def test_a_reload_takes_new_users_and_forgets_old_ones(self):
        server = Turnd(self.world)
        server.accounts = False
        server.write(turn='accounts = { bob = "builder" }')
        server.program.process.send_signal(signal.SIGHUP)
        server.program.wait_for("^Reloaded")
        self.assertEqual(self.totals(self.uclient(server, "-n", 5, user="bob", password="builder").stdout), (5, 5))
        self.assertNotIn("relay addr", self.uclient(server, "-n", 5).stdout)

    def test_drains_lets_sessions_end_and_then_ends(self):
        server = Turnd(self.world)
        peer = Echo()
        client = self.client(server)
        client.permit(PEER)
        server.command("drain")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            server.get("/healthz")
        self.assertEqual(refused.exception.code, 503)
        with self.assertRaises(turn_wire.Refused) as full:
            self.client(server)
        self.assertEqual(full.exception.code, 508)
        client.send(PEER, peer.port, b"still here")
        self.assertEqual(client.data()[1], b"still here")
        client.refresh(0)
        self.assertEqual(server.program.wait(), 0)

    def test_drains_no_longer_than_its_deadline(self):
        server = Turnd(self.world)
        self.client(server)
        server.command("drain", "--deadline", "1")
        self.assertEqual(server.program.wait(), 0)

    @programs.needs("turnutils_uclient")
    def test_a_restart_under_load_hands_every_session_over(self):
        server = Turnd(self.world)
        for transport in ((), ("-t",)):
            with self.subTest(transport=transport or "udp"):
                old = server.status()["pid"]
                client = self.uclient(server, *transport, "-m", 5, "-n", 600, "-z", 5, "-l", 172, start=True)
                # All of them: each of the five has a second allocation for RTCP.
                programs.wait_until(lambda: len(server.sessions()) >= 10, "sessions are there")
                before = {session["session"] for session in server.sessions()}
                server.command("restart")
                programs.wait_until(lambda: server.run("status").returncode == 0 and server.status()["pid"] != old,
                                    "the new process answers")
                self.later.append(server.status()["pid"])
                self.assertLessEqual(before, {session["session"] for session in server.sessions()})
                client.wait()
                sent, received = self.totals(client.output())
                self.assertEqual(sent, 3000)
                # What was between two sockets at that moment may be lost over UDP, nothing of TCP's.
                self.assertGreaterEqual(received, 3000 if transport else 2990)
                self.assertEqual(self.uclient(server, *transport, "-n", 5).returncode, 0)

    def test_a_restart_into_a_bad_configuration_changes_nothing(self):
        server = Turnd(self.world)
        old = server.status()["pid"]
        server.write(turn="nonsense = 1")
        server.run("restart")
        server.program.wait_for("The restart has failed, this process goes on")
        server.write()
        self.assertEqual(server.status()["pid"], old)

    def test_says_what_is_in_the_way(self):
        port = programs.free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((ADDRESS, port))
            config = self.world.write("taken.toml", f'state_directory = "{self.world.folder("s")}"\n[listen]\n'
                                      f'udp = ["{ADDRESS}:{port}"]\n[turn]\nrelay_addresses = ["192.0.2.77"]\n')
            for words in (["check", config], ["--config", config]):
                done = self.world.run([turnd(), *words])
                self.assertEqual(done.returncode, 78, done.stdout)
                self.assertIn(f"Cannot listen at UDP {ADDRESS}:{port}", done.stdout)
                self.assertIn(f"ss -lnpu 'sport = :{port}'", done.stdout)
                self.assertIn("No relay can be opened at 192.0.2.77", done.stdout)

    @programs.needs("turnutils_uclient", "turnadmin")
    def test_takes_the_place_of_a_coturn_with_its_users(self):
        database = self.world.file("turndb")
        with open("/usr/share/coturn/schema.sql", encoding="utf-8") as schema, sqlite3.connect(database) as made:
            made.executescript(schema.read())
        self.world.run(["turnadmin", "-a", "-b", database, "-u", "carol", "-p", "red", "-r", REALM])
        port = programs.free_port()
        coturn = self.world.write("turnserver.conf", f"""
listening-ip={ADDRESS}
listening-port={port}
relay-ip={ADDRESS}
lt-cred-mech
realm={REALM}
userdb={database}
user={USER}:{PASSWORD}
allowed-peer-ip=127.0.0.0-127.255.255.255
no-tls
no-dtls
verbose
no-auth-pings
""")
        taken = self.world.file("taken.toml")
        done = self.world.run([turnd(), "import", coturn, "-o", taken])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("turnserver.conf:13: no-auth-pings: not taken", done.stdout)
        self.assertEqual(os.stat(taken).st_mode & 0o777, 0o600)
        with open(taken, encoding="utf-8") as file:
            text = file.read()
        with open(taken, "w", encoding="utf-8") as file:
            file.write(f'state_directory = "{self.world.folder("state")}"\n{text}')
        program = self.world.start("taken", [turnd(), "--config", taken])
        program.wait_for("^Ready")
        server = type("Server", (), {"port": port})
        for user, password in ((USER, PASSWORD), ("carol", "red")):
            done = self.uclient(server, "-n", 5, user=user, password=password)
            self.assertEqual(self.totals(done.stdout), (5, 5), user)

    def test_knows_every_option_of_debians_turnserver_conf(self):
        sample = "/etc/turnserver.conf"
        if not os.path.exists(sample):
            self.skipTest("coturn is not installed")
        with open(sample, encoding="utf-8") as file:
            options = [line.lstrip("# ") for line in file
                       if re.match(r"#? ?[a-z][a-z0-9_-]+(=\S.*)?$", line.rstrip())]
        self.assertGreater(len(options), 80)
        conf = self.world.write("everything.conf", "".join(options))
        taken = self.world.file("everything.toml")
        done = self.world.run([turnd(), "import", conf, "-o", taken])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("not known here", done.stdout)
        self.assertIn("The configuration is good", self.world.run([turnd(), "check", taken]).stdout)


if __name__ == "__main__":
    unittest.main()
