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

import relay_servers as relays
import turn_wire

UNDER_WAY = 64      # requests at once
RETRANSMIT = 1.0    # seconds
TRIES = 10
LOCAL_ADDRESSES = (relays.CLIENT, relays.SECOND_CLIENT)
USERS = {f"user{number}": f"password {number}" for number in range(8)}


class Allocation:
    def __init__(self, number):
        self.number = number
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((LOCAL_ADDRESSES[number % len(LOCAL_ADDRESSES)], 0))
        self.socket.connect((relays.SERVER, relays.PORT))
        self.requests = turn_wire.Requests(*list(USERS.items())[number % len(USERS)])
        self.relayed = None
        self.octets, self.sent_at, self.tries = b"", 0.0, 0
        self.arrived = []


class Fleet:
    """All allocations, and requests of all of them with few under way at a time."""

    def __init__(self, count):
        self.allocations = [Allocation(number) for number in range(count)]
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


def may_open(sockets):
    """Raises the limit of open files; ends the program as skipped where it stays too low."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (sockets, sockets))
    except (ValueError, PermissionError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < sockets:
            print(f"skipped: at most {hard} open files, and {sockets} are needed")
            sys.exit(77)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, sockets), hard))


def hold(test, world, count, seconds, interval):
    """`count` allocations, each refreshed every `interval`, for `seconds`."""
    relay = relays.Relay(world, relays=(relays.SERVER, relays.SECOND), users=USERS)
    fleet = Fleet(count)
    test.addCleanup(fleet.close)
    fleet.allocate()
    end = time.monotonic() + seconds
    test.assertEqual(fleet.distinct(), count)
    test.assertEqual(fleet.relay_addresses(), {relays.SERVER, relays.SECOND})
    fleet.assert_all_relay()
    rounds = 0
    while time.monotonic() < end:
        begin = time.monotonic()
        fleet.refresh()
        rounds += 1
        time.sleep(max(0.0, min(interval - (time.monotonic() - begin), end - time.monotonic())))
    fleet.refresh()
    fleet.assert_all_relay()
    test.assertTrue(relay.is_running())
    print(f"{count} allocations for {seconds} s, {rounds + 1} refreshes each, {fleet.retransmissions} requests "
          f"repeated, none lost; {os.path.basename(sys.argv[0])}")
