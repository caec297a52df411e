#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bad network between two sockets: loses, repeats, delays and thereby reorders datagrams, each in a fixed share.

    relay.py LISTEN-PORT TO-ADDRESS TO-PORT [FROM-ADDRESS]

SIGUSR1 makes it send from another address of the interface from then on: the next one after FROM-ADDRESS.
"""

import heapq
import ipaddress
import random
import select
import signal
import socket
import sys
import time

LOST, TWICE, LATE = 0.1, 0.2, 0.3
DELAY_MAX_SEC = 0.15


def main():
    port, to, source = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3])), ipaddress.ip_address(sys.argv[4])
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outside.bind(("127.0.0.1", port))
    inside = {}

    def bind(address):
        inside["socket"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        inside["socket"].bind((str(address), 0))

    bind(source)
    signal.signal(signal.SIGUSR1, lambda *_: bind(source + 1))
    chance, waiting, n = random.Random(1), [], 0
    print("ready", flush=True)
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([outside], [], [], timeout)[0]:
            data = outside.recv(2048)
            if chance.random() >= LOST:
                for _ in range(2 if chance.random() < TWICE else 1):
                    n += 1
                    late = chance.random() * DELAY_MAX_SEC if chance.random() < LATE else 0
                    heapq.heappush(waiting, (time.monotonic() + late, n, data))
        while waiting and waiting[0][0] <= time.monotonic():
            try:
                inside["socket"].sendto(heapq.heappop(waiting)[2], to)
            except ConnectionRefusedError:
                pass


main()
