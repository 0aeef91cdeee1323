# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Thousands of allocations of one server over two relay addresses, kept alive, none lost."""
import os
import resource
import select
import socket
import struct
import sys
import time
import traceback

import programs
import relay_servers as relays
import turn_wire

MOST_FILES = 65_536
SPARE_FILES = 500
UNDER_WAY = 64      # requests at once
RETRANSMIT = 1.0    # seconds
TRIES = 10
LOCAL_ADDRESSES = (relays.CLIENT, relays.SECOND_CLIENT)
USERS = {f"user{number}": f"password {number}" for number in range(8)}


class Allocation:
    def __init__(self, number, server):
        self.number = number
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((LOCAL_ADDRESSES[number % len(LOCAL_ADDRESSES)], 0))
        self.socket.connect((server, relays.PORT))
        self.requests = turn_wire.Requests(*list(USERS.items())[number % len(USERS)])
        self.relayed = None
        self.octets, self.sent_at, self.tries = b"", 0.0, 0
        self.arrived = []


class Fleet:
    """All allocations, and requests of all of them with few under way at a time."""

    def __init__(self, count, server):
        self.allocations = [Allocation(number, server) for number in range(count)]
        self.by_fd = {allocation.socket.fileno(): allocation for allocation in self.allocations}
        self.poll = select.epoll()
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)
        self.retransmissions = 0

    def ask_all(self, method, values, deadline=600):
        """One request for each allocation; fails where one is refused or not answered."""
        waiting, under_way = list(reversed(self.allocations)), {}
        end = time.monotonic() + deadline
        while waiting or under_way:
            while waiting and len(under_way) < UNDER_WAY:
                allocation = waiting.pop()
                allocation.tries = 0
                under_way[allocation.number] = allocation
                self.send(allocation, method, values)
            for fd, _ in self.poll.poll(0.2, 256):
                self.read(self.by_fd[fd], under_way, method, values)
            now = time.monotonic()
            assert now < end, f"{len(under_way) + len(waiting)} allocations are not served in {deadline} s"
            for allocation in list(under_way.values()):
                if now - allocation.sent_at > RETRANSMIT:
                    self.retransmissions += 1
                    self.send(allocation, method, values, again=True)

    @staticmethod
    def send(allocation, method, values, again=False):
        allocation.tries += 1
        assert allocation.tries <= TRIES, f"allocation {allocation.number} gets no answer"
        if not again:
            allocation.octets = allocation.requests.build(method, values)
        allocation.sent_at = time.monotonic()
        allocation.socket.send(allocation.octets)

    def read(self, allocation, under_way, method, values):
        message = turn_wire.Message(allocation.socket.recv(65536))
        if message.kind == turn_wire.INDICATION:
            allocation.arrived.append((turn_wire.read_xor_address(message.values[turn_wire.PEER]),
                                       message.values[turn_wire.DATA_VALUE]))
            return
        if allocation.number not in under_way or message.id != allocation.octets[8:20]:
            return
        if message.kind == turn_wire.ERROR and message.error() in (401, 438):
            allocation.requests.challenge(message)
            self.send(allocation, method, values)
            return
        assert message.kind == turn_wire.SUCCESS, f"allocation {allocation.number}: {message.error()}"
        if method == turn_wire.ALLOCATE:
            allocation.relayed = turn_wire.read_xor_address(message.values[turn_wire.RELAYED])
        del under_way[allocation.number]

    def allocate(self):
        self.ask_all(turn_wire.ALLOCATE, [(turn_wire.TRANSPORT, b"\x11\0\0\0")])

    def refresh(self):
        self.ask_all(turn_wire.REFRESH, [(turn_wire.LIFETIME, struct.pack("!I", 600))])

    def assert_all_relay(self):
        """A datagram from a peer to each relayed address, which must reach the right client."""
        self.ask_all(turn_wire.PERMISSION, [(turn_wire.PEER, turn_wire.xor_address(relays.PEER, 0))])
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.bind((relays.PEER, 0))
        for allocation in self.allocations:
            allocation.arrived.clear()
            wanted = (peer.getsockname(), struct.pack("!I", allocation.number))
            for _ in range(TRIES):
                peer.sendto(wanted[1], allocation.relayed)
                for fd, _ in self.poll.poll(RETRANSMIT, 16):
                    self.read(self.by_fd[fd], {}, 0, [])
                if allocation.arrived:
                    break
            assert wanted in allocation.arrived, f"allocation {allocation.number} at {allocation.relayed} is lost"
        peer.close()

    def close(self):
        self.poll.close()
        for allocation in self.allocations:
            allocation.socket.close()

    def relay_addresses(self):
        return {allocation.relayed[0] for allocation in self.allocations}

    def distinct(self):
        return len({allocation.relayed for allocation in self.allocations})


def raise_file_limit():
    """As far as the machine allows; what it is then."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    except (ValueError, PermissionError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def hold(count, seconds, interval):
    """`count` allocations over two relay addresses, each refreshed every `interval`, for `seconds`.

    Where one process may not open that many sockets, two servers, one a relay address, share them.
    """
    if count + SPARE_FILES <= raise_file_limit():
        with programs.World() as world:
            return hold_part(world, count, seconds, interval, (relays.SERVER, relays.SECOND), None)
    children = []
    for address in (relays.SERVER, relays.SECOND):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with programs.World() as world:
                    hold_part(world, count // 2, seconds, interval, (address,), address)
                status = 0
            except BaseException:  # it must not return into what the parent goes on with
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    assert not failed, "what a server held was lost, see above"


def hold_part(world, count, seconds, interval, relay_addresses, listen):
    relay = relays.Relay(world, relays=relay_addresses, users=USERS, listen=listen)
    fleet = Fleet(count, listen or relays.SERVER)
    try:
        fleet.allocate()
        end = time.monotonic() + seconds
        assert fleet.distinct() == count, "two allocations have one relayed address"
        assert fleet.relay_addresses() == set(relay_addresses), fleet.relay_addresses()
        fleet.assert_all_relay()
        rounds = 0
        while time.monotonic() < end:
            begin = time.monotonic()
            fleet.refresh()
            rounds += 1
            time.sleep(max(0.0, min(interval - (time.monotonic() - begin), end - time.monotonic())))
        fleet.refresh()
        fleet.assert_all_relay()
        assert relay.is_running(), "the server ended"
    finally:
        fleet.close()
    print(f"{count} allocations at {', '.join(relay_addresses)} for {seconds} s, {rounds + 1} refreshes each, "
          f"{fleet.retransmissions} requests repeated, none lost")
