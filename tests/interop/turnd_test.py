# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""stile-turnd as an operator has it: started without a configuration, reloaded, drained and restarted while it
relays, asked for metrics and sessions, and put in the place of a coturn."""
import base64
import json
import os
import re
import shutil
import secrets
import signal
import socket
import sqlite3
import sys
import time
import unittest
import urllib.error
import urllib.request

import echo_peer
import programs
import turn_wire

ADDRESS = programs.LOOPBACK
PEER = echo_peer.ADDRESS
USER, PASSWORD, REALM = "alice", "wonderland", "example.org"
TRANSPORTS = {"udp": (), "tcp": ("-t",)}  # and how turnutils_uclient is told

# What turnutils_uclient -J has built in: kid, algorithm, and what counts of the key.
UCLIENT_KEYS = [("north", "A256GCM", b"01234567890123456789012345678901"),
                ("union", "A128GCM", b"1234567890123456"),
                ("oldempire", "A256GCM", b"12345678901234567890123456789012")]


def oauth(keys):
    """A line for [turn]."""
    listed = ", ".join(f'{{ kid = "{kid}", algorithm = "{algorithm}", key = "{base64.b64encode(key).decode()}" }}'
                       for kid, algorithm, key in keys)
    return f"oauth = {{ keys = [{listed}] }}"


def turnd():
    return os.path.join(programs.bin_folder(), "stile-turnd")


# Takes everything that the old process gives, and dies before it says that it has it.
DYING_SUCCESSOR = f"""#!{sys.executable}
import os, signal, socket, struct
old = socket.socket(fileno=int(os.environ["STILE_TURND_PREDECESSOR"]))
old.sendall(b"R")
size = struct.unpack("=Q", old.recv(8, socket.MSG_WAITALL))[0]
assert len(old.recv(size, socket.MSG_WAITALL)) == size
octets, sockets, flags, address = socket.recv_fds(old, 1, 128)
assert len(sockets) > 10
os.kill(os.getpid(), signal.SIGKILL)
"""


class Turnd:
    """A server of its own at 127.0.0.1, ready."""

    def __init__(self, world, extra="", listen="", accounts=True, program=None):
        self.world = world
        self.state = world.folder("turnd-state")
        self.port, self.metrics_port = programs.free_port(), programs.free_port()
        self.usage = world.file("usage.jsonl")
        self.config = world.file("turnd.toml")
        self.accounts, self.extra, self.listen = accounts, extra, listen
        self.write()
        self.program = world.start("stile-turnd", [program or turnd(), "--config", self.config])
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

    def pid(self):
        """None where nobody answers, as between two processes."""
        done = self.run("status", "--json")
        return json.loads(done.stdout)["pid"] if done.returncode == 0 else None

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
                   "-r", echo_peer.Echo().port, *words, ADDRESS]
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
        client = self.uclient(server, "-n", 200, "-z", 50, "-l", 100, start=True)
        session = programs.wait_until(lambda: next(iter(server.sessions()), None), "a session is listed")
        self.assertEqual((session["user"], session["transport"]), (USER, "udp"))
        self.assertEqual(len(session["session"]), 12)
        self.assertIn(session["client"], server.command("sessions"))
        shown = server.command("trace", session["session"], "--once")
        self.assertIn(f"relayed at {session['relayed'][0]}", shown)
        client.wait()
        sent, received = self.totals(client.output())
        self.assertEqual((sent, received), (200, 200))
        self.assertGreaterEqual(server.metric('stile_turn_packets_total{direction="to_peer"}'), sent)
        self.assertEqual(server.get("/healthz"), "ok\n")
        records = programs.wait_until(server.usage_records, "a usage record is written")
        self.assertEqual(records[0]["owner"], USER)
        self.assertGreaterEqual(records[0]["traffic"]["octets_to_peers"], 200 * 100)

    @programs.needs("turnutils_uclient")
    def test_a_reload_under_load_loses_nothing_and_a_bad_file_changes_nothing(self):
        server = Turnd(self.world)
        client = self.uclient(server, "-m", 5, "-n", 900, "-z", 5, "-l", 172, start=True)
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
        self.assertEqual(self.totals(client.output()), (4500, 4500))

    @programs.needs("turnutils_uclient")
    def test_a_reload_takes_new_users_and_forgets_old_ones(self):
        server = Turnd(self.world)
        server.accounts = False
        server.write(turn='accounts = { bob = "builder" }')
        server.program.process.send_signal(signal.SIGHUP)
        server.program.wait_for("^Reloaded")
        self.assertEqual(self.totals(self.uclient(server, "-n", 5, user="bob", password="builder").stdout), (5, 5))
        self.assertNotIn("relay addr", self.uclient(server, "-n", 5).stdout)

    @programs.needs("turnutils_uclient")
    def test_takes_access_tokens_of_each_of_its_keys_and_none_of_another(self):
        server = Turnd(self.world)
        server.write(turn=oauth(UCLIENT_KEYS))
        server.command("reload")
        # It chooses one of its three keys by chance, each time.
        for _ in range(4):
            self.assertEqual(self.totals(self.uclient(server, "-J", "-n", 5).stdout), (5, 5))
        owners = {record["owner"].partition(":")[0] for record in
                  programs.wait_until(server.usage_records, "usage records are written")}
        self.assertLessEqual(owners - {USER}, {kid for kid, _, _ in UCLIENT_KEYS})
        self.assertNotEqual(owners, {USER})
        # Accounts go on beside it.
        self.assertEqual(self.totals(self.uclient(server, "-n", 5).stdout), (5, 5))
        # Keys are exchanged: who relays goes on, and nobody comes with the old ones.
        client = self.uclient(server, "-J", "-n", 400, "-z", 5, start=True)
        session = programs.wait_until(lambda: next(iter(server.sessions()), None), "a session is listed")
        self.assertIn(session["owner"][:20], server.command("sessions"))
        refused = server.metric('stile_turn_requests_refused_total{code="401"}')
        server.write(turn=oauth([(kid, algorithm, bytes(octet ^ 1 for octet in key))
                                 for kid, algorithm, key in UCLIENT_KEYS]))
        server.command("reload")
        self.assertNotIn("relay addr", self.uclient(server, "-J", "-n", 5).stdout)
        self.assertGreaterEqual(server.metric('stile_turn_requests_refused_total{code="401"}'), refused + 2)
        client.wait()
        self.assertEqual(self.totals(client.output()), (400, 400))

    @programs.needs("turnutils_oauth")
    def test_reads_tokens_as_coturn_makes_them(self):
        mac_key = secrets.token_hex(16).encode()  # it takes both of these for texts
        kid, algorithm, key = UCLIENT_KEYS[0]
        made = self.world.run(["turnutils_oauth", "-v", "-e", "-i", REALM, "-j", kid, "-k", base64.b64encode(key).decode(),
                               "-l", int(time.time()), "-m", 3600, "-n", algorithm,
                               "-o", base64.b64encode(secrets.token_hex(6).encode()).decode(),
                               "-p", base64.b64encode(mac_key).decode(), "-r", 3600])
        token = base64.b64decode(re.search(r'"access_token":\s*"([^"]+)"', made.stdout)[1])
        server = Turnd(self.world)
        server.write(turn=oauth(UCLIENT_KEYS))
        server.command("reload")
        client = turn_wire.Client(ADDRESS, server.port, requests=turn_wire.TokenRequests(kid, mac_key, token))
        self.addCleanup(client.close)
        client.permit(PEER)
        self.assertEqual(server.sessions()[0]["user"], kid)

    def test_names_what_a_reload_cannot_change(self):
        server = Turnd(self.world)
        for line, reason in (("shards = 7", "cannot change the number of shards: the server runs; drain, stop and start"),
                             ('kernel_path = "tc"', "cannot change the kernel path: the server runs; restart gracefully to "
                                                    "change it, with 'stile-turnd restart'")):
            server.write(turn=line)
            refused = server.run("reload")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(reason, " ".join(refused.stdout.split()))
        self.assertEqual(server.status()["reloads"], 0)

    def test_drains_lets_sessions_end_and_then_ends(self):
        server = Turnd(self.world)
        peer = echo_peer.Echo()
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

    def load(self, server, transport):
        """A client with five sessions that all relay."""
        server.write(turn="allocations_per_user = 100")  # what a client leaves alone counts, too
        server.command("reload")
        client = self.uclient(server, *TRANSPORTS[transport], "-m", 5, "-n", 600, "-z", 5, "-l", 172, start=True)
        # It leaves its first allocations alone: those that it uses have channels.
        programs.wait_until(lambda: 5 == sum(bool(each["channels"]) for each in server.sessions()
                                             if each["transport"] == transport), "sessions are there")
        return client

    @programs.needs("turnutils_uclient")
    def test_a_restart_under_load_hands_every_session_over(self):
        server = Turnd(self.world)
        for transport in TRANSPORTS:
            with self.subTest(transport):
                old = server.status()["pid"]
                client = self.load(server, transport)
                before = {session["session"] for session in server.sessions()}
                server.command("restart")
                programs.wait_until(lambda: server.pid() not in (None, old),
                                    "the new process answers")
                self.later.append(server.status()["pid"])
                self.assertLessEqual(before, {session["session"] for session in server.sessions()})
                client.wait()
                sent, received = self.totals(client.output())
                self.assertEqual(sent, 3000)
                # What was between two sockets at that moment may be lost over UDP, nothing of TCP's.
                self.assertGreaterEqual(received, 3000 if transport == "tcp" else 2990)
                self.assertEqual(self.uclient(server, *TRANSPORTS[transport], "-n", 5).returncode, 0)

    @programs.needs("turnutils_uclient")
    def test_a_successor_that_dies_with_the_sessions_in_its_hands_costs_nobody_anything(self):
        installed = os.path.join(self.world.folder("installed"), "stile-turnd")
        shutil.copy(turnd(), installed)
        server = Turnd(self.world, program=installed)
        self.install(installed, DYING_SUCCESSOR)
        old = server.status()["pid"]
        for count, transport in enumerate(TRANSPORTS, start=1):
            with self.subTest(transport):
                client = self.load(server, transport)
                server.command("restart")
                failed = "The restart has failed, this process goes on: the new process did not take the sessions over"
                server.program.wait_for(f"(?s)({failed}.*){{{count}}}")
                self.assertEqual(server.status()["pid"], old)
                self.assertEqual(server.get("/healthz"), "ok\n")
                client.wait()
                self.assertEqual(self.totals(client.output()), (3000, 3000))

    @staticmethod
    def install(path, script):
        """As a package manager does it: the running program keeps its file."""
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(script)
        os.chmod(path + ".new", 0o755)
        os.replace(path + ".new", path)

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
