# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames made by hand, right and wrong, and a sender of raw datagrams: an implementation of VLP that shares nothing with src/.

As a program (`python3 - PATH < frames.py`, inside the rig) it is the sender: one JSON request a line on its standard
input, after a first line with the path of the socket; one JSON answer a line. It stays one process, so the pid
that the kernel attests stays the same:

    {"hex": "...", "descriptors": 0}    one datagram as it is
    {"beat": {"pid": N, ...}}           a frame with these fields; pid defaults to the sender's own
"""

import array
import json
import os
import socket
import struct
import sys
import time

CRC_TABLE = []
for _byte in range(256):
    _value = _byte
    for _ in range(8):
        _value = _value >> 1 ^ (0x82F63B78 if _value & 1 else 0)
    CRC_TABLE.append(_value)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(pid, nonce, status=0, timestamp=None, payload=0):
    """The 32 bytes of a good frame."""
    timestamp = time.monotonic_ns() if timestamp is None else timestamp
    head = struct.pack("<2sBBIQQI", b"VA", 2, status, pid, timestamp, nonce, payload)
    return head + struct.pack("<I", crc32c(head))


def send(sock, data, descriptors):
    """Sends one datagram with so many open descriptors attached; returns the error's name or None."""
    ancillary = []
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        if descriptors:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * descriptors))]
        sock.sendmsg([data], ancillary)
    except OSError as error:
        return error.strerror
    finally:
        os.close(null)
    return None


def main():
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect(sys.argv[1])
    nonce = 0
    for line in sys.stdin:
        request = json.loads(line)
        if "beat" in request:
            nonce += 1
            data = frame(**{"pid": os.getpid(), "nonce": nonce, **request["beat"]})
        else:
            data = bytes.fromhex(request["hex"])
        error = send(sock, data, request.get("descriptors", 0))
        print(json.dumps({"pid": os.getpid(), "error": error}), flush=True)


if __name__ == "__main__":
    main()
