# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""aioice, libnice and pion as programs for tests/natlab/ice_peers.py: compiled once a test program, where needed."""
import functools
import os
import shutil
import subprocess
import tempfile
import unittest

import ice_peers
import relay_servers as relays

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
SYSTEM_PYTHON = "/usr/bin/python3"  # where Debian's python3-aioice is
PION = "/usr/share/gocode/src/github.com/pion/ice/v2"
NAMES = ("aioice", "libnice", "libnice-aggressive", "pion")


def nice_flags():
    if not shutil.which("pkg-config") or not shutil.which("cc"):
        return None
    done = subprocess.run(["pkg-config", "--cflags", "--libs", "nice", "gio-unix-2.0"], capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else None


@functools.cache
def folder():
    """Of compiled programs; goes with the process."""
    made = tempfile.TemporaryDirectory(prefix="stile-ice-")
    folder.kept = made
    return made.name


@functools.cache
def missing(name):
    """What is not installed of what this program needs."""
    if name == "aioice":
        found = os.path.exists(SYSTEM_PYTHON) and subprocess.run(
            [SYSTEM_PYTHON, "-c", "import aioice"], capture_output=True).returncode == 0
        return None if found else "python3-aioice"
    if name.startswith("libnice"):
        return None if nice_flags() else "libnice-dev"
    return None if shutil.which("go") and os.path.isdir(PION) else "golang-github-pion-ice.v2-dev"


@functools.cache
def compiled(name):
    program = os.path.join(folder(), name)
    if name == "nice_peer":
        command = ["cc", "-Wall", "-Wextra", "-o", program, os.path.join(CLIENTS, "nice_peer.c"), *nice_flags()]
        environment = None
    else:
        command = ["go", "build", "-o", program, os.path.join(CLIENTS, "pion_peer.go")]
        environment = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
                           GOCACHE=os.environ.get("GOCACHE", os.path.join(folder(), "go-cache")))
    built = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=300)
    if built.returncode != 0:
        raise AssertionError(built.stdout)
    return program


def pair(name, we_control, relay_only=False, they_control=None, words=()):
    """Ours and one of NAMES at the addresses of relay_servers, with its relay alone or without one, and more
    words for ours; not signalled yet."""
    if they_control is None:
        they_control = not we_control
    server = f"{relays.SERVER}:{relays.PORT}"
    relayed = ["--relay-only", "--turn", f"{server},{relays.USER},{relays.PASSWORD}"] if relay_only else []
    theirs = start(name, they_control, address=relays.SECOND_CLIENT, relay_only=relay_only,
                   turn=server if relay_only else "-", user=relays.USER, password=relays.PASSWORD)
    ours = ice_peers.Peer(ice_peers.ours("--bind", relays.CLIENT, "--patience-ms", 300, "--relayed-patience-ms", 300,
                                         *relayed, *words), we_control, name="ours")
    return ours, theirs


def start(name, controlling, address="-", stun="-", turn="-", user="-", password="-", relay_only=False, host=None,
          tcp_alone=False):
    """One of NAMES as an ice_peers.Peer; its role first, as all of them take it."""
    if missing(name):
        raise unittest.SkipTest(f"not installed: {missing(name)}")
    policy = "tcp" if tcp_alone else "relay" if relay_only else "all"
    role = "controlling" if controlling else "controlled"
    if name == "aioice":
        words = [SYSTEM_PYTHON, "-B", os.path.join(CLIENTS, "aioice_peer.py"), role, stun, turn, user, password, policy]
    elif name == "pion":
        words = [compiled("pion_peer"), role, address, stun, turn, user, password, policy]
    else:
        nomination = next((one for one in ("aggressive", "renomination") if name.endswith(one)), "regular")
        words = [compiled("nice_peer"), role, address, stun, turn, user, password, policy, nomination]
    return ice_peers.Peer(words, controlling, host=host, role=lambda _: [], name=name)
