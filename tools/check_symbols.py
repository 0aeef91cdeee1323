#!/usr/bin/env python3
# SPDX-FileCopyrightText: The Stile authors
# SPDX-License-Identifier: Apache-2.0
"""Fails when an object of a protocol library refers to sockets, clocks, threads, files or randomness.

usage: check_symbols.py ARCHIVE...
"""
import re
import subprocess
import sys

# What protocol logic must get from its caller instead, by the name that the linker sees.
FORBIDDEN = {
    "sockets": r"socket|socketpair|bind|listen|accept4?|connect|sendto|sendmsg|sendmmsg|recvfrom|recvmsg"
               r"|recvmmsg|getsockname|getpeername|setsockopt|getsockopt|getaddrinfo|gethostbyname\w*"
               r"|poll|ppoll|select|pselect|epoll_\w+|io_uring_\w+",
    "clocks": r"time|gettimeofday|clock_gettime|clock|ftime|timespec_get|localtime(_r)?|mktime"
              r"|nanosleep|usleep|sleep|_ZNSt6chrono3_V2\d+\w+_clock3nowEv",
    "threads": r"pthread_create|pthread_mutex_lock|pthread_cond_\w+|thrd_create|fork|vfork"
               r"|_ZNSt6thread\w*|_ZNSt18condition_variable\w*",
    "randomness": r"rand|srand|random|srandom|drand48|getrandom|getentropy|arc4random\w*|RAND_(priv_)?bytes"
                  r"|_ZNSt13random_device\w*",
    "files and environment": r"f?open(64|at)?|creat|getenv|secure_getenv|system|popen"
                             r"|_ZNSt1[34]basic_[io]?f\w*stream\w*",
}
PATTERNS = {kind: re.compile(rf"(?:{names})") for kind, names in FORBIDDEN.items()}


def forbidden(symbol):
    """The kind of a forbidden symbol, or None."""
    name = symbol.split("@")[0]
    for kind, pattern in PATTERNS.items():
        if pattern.fullmatch(name):
            return kind
    return None


def undefined_symbols(archive):
    """Pairs (object, symbol) of everything that the archive's objects leave to others."""
    listing = subprocess.run(["nm", "-A", "-u", archive], check=True, capture_output=True, text=True)
    for line in listing.stdout.splitlines():
        place, _, rest = line.rpartition(":")
        yield place, rest.split()[-1]


def main(archives):
    if not archives:
        print(__doc__, file=sys.stderr)
        return 2
    found = 0
    objects = set()
    for archive in archives:
        for place, symbol in undefined_symbols(archive):
            objects.add(place)
            kind = forbidden(symbol)
            if kind:
                print(f"{place}: refers to {symbol} ({kind}); hand it in from a driver instead")
                found += 1
    if not objects:
        print("no objects were looked at")
        return 1
    print(f"{len(objects)} objects, {found} forbidden references")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
