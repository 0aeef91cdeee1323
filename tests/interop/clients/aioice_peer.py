# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""aioice as one side of ICE, by the lines of tests/natlab/ice_peers.py. It does not trickle its own candidates.

aioice has no restart: a restart is a Connection more, with sockets and credentials of its own, and
data stays on the one of before until it is there.

usage: aioice_peer.py controlling|controlled STUN|- TURN|- USER PASSWORD all|relay
"""
import asyncio
import contextlib
import json
import sys
import time

import aioice

ROLE, STUN, TURN, USER, PASSWORD, POLICY = sys.argv[1:]
OVERLAP = 1  # seconds that what is under way to the Connection of before may take


def say(event, **fields):
    print(json.dumps(dict(fields, event=event, at=time.monotonic())), flush=True)


def server(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def lines():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().strip():
        yield line


class Side:
    def __init__(self):
        self.greeting = None
        self.newest = self.used = None  # Connections: the one that signalling is about, the one for data
        self.settled = False  # other credentials of the peer are its restart, no answer
        self.all, self.tasks = [], []

    async def describe(self):
        """A new Connection, and what the peer has to know of it."""
        connection = aioice.Connection(
            ice_controlling=ROLE == "controlling", use_ipv6=False, stun_server=None if STUN == "-" else server(STUN),
            turn_server=None if TURN == "-" else server(TURN), turn_username=USER, turn_password=PASSWORD)
        self.newest, self.settled = connection, False
        self.all.append(connection)
        await connection.gather_candidates()
        say("description", ufrag=connection.local_username, pwd=connection.local_password)
        for candidate in connection.local_candidates:
            if POLICY == "all" or candidate.type == "relay":
                say("candidate", line="a=candidate:" + candidate.to_sdp())
        say("end-of-candidates")

    async def take(self, line):
        word, _, value = line.partition(":")
        if word == "a=ice-ufrag":
            if self.settled:
                await self.describe()
            self.newest.remote_username = value
        elif word == "a=ice-pwd":
            self.newest.remote_password = value
            self.settled = True
            self.tasks.append(asyncio.create_task(self.connect(self.newest)))
        elif word == "a=candidate":
            await self.newest.add_remote_candidate(aioice.Candidate.from_sdp(value))
        elif word == "a=end-of-candidates":
            await self.newest.add_remote_candidate(None)
        elif line.startswith("send "):
            await self.used.send(line[5:].encode())
        elif line.startswith("greet "):
            self.greeting = line[6:].encode()
        elif line == "restart":
            await self.describe()

    async def connect(self, connection):
        try:
            await connection.connect()
        except ConnectionError as error:
            return say("state", state="failed", reason=str(error))
        before, self.used = self.used, connection
        if self.greeting:
            await connection.send(self.greeting)
            say("greeted")
        say("state", state="completed", role="controlling" if connection.ice_controlling else "controlled")
        pair = connection._nominated[1]
        say("selected", local_type=pair.local_candidate.type, remote_type=pair.remote_candidate.type,
            local=":".join(map(str, pair.local_addr)), remote=":".join(map(str, pair.remote_addr)))
        if before:
            self.tasks.append(asyncio.create_task(self.end(before)))
        try:
            while True:
                data = await connection.recv()
                say("received", text=data.decode(errors="replace"), octets=len(data))
        except ConnectionError:
            if connection is self.used:
                say("lost")

    @staticmethod
    async def end(connection):
        await asyncio.sleep(OVERLAP)
        await connection.close()

    async def close(self):
        for connection in self.all:
            await connection.close()
        for task in self.tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def main():
    side = Side()
    await side.describe()
    async for line in lines():
        if line == "close":
            break
        await side.take(line)
    await side.close()


asyncio.run(main())
