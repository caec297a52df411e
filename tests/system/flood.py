#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody without a key who sends what looks like sealed beats, or plays a recording.

    flood.py FROM-ADDRESS TO-ADDRESS TO-PORT forge N PER-SECOND     N forgeries of both forms, evenly
    flood.py FROM-ADDRESS TO-ADDRESS TO-PORT replay                 each line of standard input, hexadecimal, from another port

Prints how many were sent.
"""

import random
import socket
import sys
import time


def forge(out, to, n, rate):
    chance, begin = random.Random(7), time.monotonic()
    for i in range(n):
        out.sendto(chance.randbytes(60 if i % 2 else 64), to)
        ahead = begin + (i + 1) / rate - time.monotonic()
        if ahead > 0.002:
            time.sleep(ahead)
    return n


def replay(source, to):
    n = 0
    for line in sys.stdin:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((source, 0))
            out.sendto(bytes.fromhex(line), to)
        n += 1
        time.sleep(0.001)
    return n


def main():
    source, to = sys.argv[1], (sys.argv[2], int(sys.argv[3]))
    if sys.argv[4] == "replay":
        print("sent", replay(source, to))
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind((source, 0))
        print("sent", forge(out, to, int(sys.argv[5]), float(sys.argv[6])))


main()
