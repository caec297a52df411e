#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes down what is on a wire: every IPv4 packet of an interface that goes to a UDP port, from the first byte of the link's header.

    capture.py INTERFACE PORT

Prints "ready", then for each packet the sender's address and port, the length of its headers, and the whole of it in
hexadecimal digits. At SIGTERM it prints how many packets the kernel could not keep for it, and ends.
"""

import signal
import socket
import struct
import sys

ETH_P_IP = 0x0800
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6


def main():
    port = int(sys.argv[2])
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    wire.bind((sys.argv[1], ETH_P_IP))

    def finish(*_):
        _, lost = struct.unpack("II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        print(f"lost {lost}", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    print("ready", flush=True)
    while True:
        packet = wire.recv(65536)
        ip = packet[14:]
        size = 4 * (ip[0] & 15)
        if ip[9] != socket.IPPROTO_UDP:
            continue
        source, target = struct.unpack("!HH", ip[size:size + 4])
        if target == port:
            print(socket.inet_ntoa(ip[12:16]), source, 14 + size + 8, packet.hex(), flush=True)


main()
