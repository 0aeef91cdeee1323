# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""aioice's TURN client and its ICE with nothing but relayed candidates.

usage: aioice_client.py udp|tcp|tls SERVER PORT CA_FILE USER PASSWORD PEER PEER_PORT
"""
import asyncio
import ssl
import sys

import aioice
from aioice import turn

TRANSPORT, SERVER, PORT, AUTHORITY, USER, PASSWORD, PEER, PEER_PORT = sys.argv[1:]
PATIENCE = 15


class Receiver(asyncio.DatagramProtocol):
    def __init__(self):
        self.arrived = asyncio.Queue()

    def datagram_received(self, data, addr):
        self.arrived.put_nowait((data, addr))


def context():
    made = ssl.create_default_context(cafile=AUTHORITY)
    made.check_hostname = False
    return made


async def echo():
    transport, receiver = await turn.create_turn_endpoint(
        Receiver, server_addr=(SERVER, int(PORT)), username=USER, password=PASSWORD,
        ssl=context() if TRANSPORT == "tls" else False, transport="udp" if TRANSPORT == "udp" else "tcp")
    peer = (PEER, int(PEER_PORT))
    for number in range(20):
        payload = bytes([number]) * (1 + number * 61)
        transport.sendto(payload, peer)
        assert await asyncio.wait_for(receiver.arrived.get(), PATIENCE) == (payload, peer)
    transport.close()
    print("echoed")


def connection(controlling):
    made = aioice.Connection(ice_controlling=controlling, turn_server=(SERVER, int(PORT)), turn_username=USER,
                             turn_password=PASSWORD, turn_ssl=False,
                             turn_transport="udp" if TRANSPORT == "udp" else "tcp")
    return made


async def ice():
    """Two agents that know of each other only the relayed candidate."""
    ends = connection(True), connection(False)
    for end in ends:
        await end.gather_candidates()
    for end, other in (ends, ends[::-1]):
        for candidate in other.local_candidates:
            if candidate.type == "relay":
                await end.add_remote_candidate(candidate)
        await end.add_remote_candidate(None)
        end.remote_username, end.remote_password = other.local_username, other.local_password
    await asyncio.wait_for(asyncio.gather(*(end.connect() for end in ends)), PATIENCE)
    for end, other in (ends, ends[::-1]):
        await end.send(b"through the relay")
        assert await asyncio.wait_for(other.recv(), PATIENCE) == b"through the relay"
    for end in ends:
        await end.close()
    print("connected")


asyncio.run(echo())
if TRANSPORT != "tls":  # its ICE takes no certificate but the system's
    asyncio.run(ice())
