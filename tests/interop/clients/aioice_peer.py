# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""aioice as one side of ICE, by the lines of tests/natlab/ice_peers.py. It does not trickle its own candidates.

usage: aioice_peer.py controlling|controlled STUN|- TURN|- USER PASSWORD all|relay
"""
import asyncio
import json
import sys
import time

import aioice

ROLE, STUN, TURN, USER, PASSWORD, POLICY = sys.argv[1:]


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


async def connect(connection, greeting):
    try:
        await connection.connect()
    except ConnectionError as error:
        return say("state", state="failed", reason=str(error))
    if greeting:
        await connection.send(greeting)
        say("greeted")
    say("state", state="completed", role="controlling" if connection.ice_controlling else "controlled")
    pair = connection._nominated[1]
    say("selected", local_type=pair.local_candidate.type, remote_type=pair.remote_candidate.type,
        local=":".join(map(str, pair.local_addr)), remote=":".join(map(str, pair.remote_addr)))
    try:
        while True:
            data = await connection.recv()
            say("received", text=data.decode(errors="replace"), octets=len(data))
    except ConnectionError:
        say("lost")


async def main():
    connection = aioice.Connection(
        ice_controlling=ROLE == "controlling", use_ipv6=False, stun_server=None if STUN == "-" else server(STUN),
        turn_server=None if TURN == "-" else server(TURN), turn_username=USER, turn_password=PASSWORD)
    await connection.gather_candidates()
    say("description", ufrag=connection.local_username, pwd=connection.local_password)
    for candidate in connection.local_candidates:
        if POLICY == "all" or candidate.type == "relay":
            say("candidate", line="a=candidate:" + candidate.to_sdp())
    say("end-of-candidates")
    task, greeting = None, None
    async for line in lines():
        word, _, value = line.partition(":")
        if word == "a=ice-ufrag":
            connection.remote_username = value
        elif word == "a=ice-pwd":
            connection.remote_password = value
        elif word == "a=candidate":
            await connection.add_remote_candidate(aioice.Candidate.from_sdp(value))
        elif word == "a=end-of-candidates":
            await connection.add_remote_candidate(None)
        elif line.startswith("send "):
            await connection.send(line[5:].encode())
        elif line.startswith("greet "):
            greeting = line[6:].encode()
        elif line == "close":
            break
        if task is None and connection.remote_username and connection.remote_password:
            task = asyncio.create_task(connect(connection, greeting))
    await connection.close()
    if task:
        task.cancel()


asyncio.run(main())
