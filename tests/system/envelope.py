# SPDX-License-Identifier: LGPL-2.1-or-later
"""The secure envelope once more, from RFC 8439 and RFC 5869 alone: what is opened here was not sealed by the same code's mirror image."""

import hashlib
import hmac
import struct

SHARED_SIZE, MASTER_SIZE = 60, 64
MASK = 0xffffffff


def _rotate(value, n):
    return (value << n | value >> (32 - n)) & MASK


def _quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        s[z] = _rotate(s[z] ^ s[x], n)


def _block(key, counter, nonce):
    """64 bytes of ChaCha20's key stream."""
    begin = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    s = list(begin)
    for _ in range(10):
        for i in range(4):
            _quarter(s, i, i + 4, i + 8, i + 12)
        for i in range(4):
            _quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((x + y) & MASK for x, y in zip(s, begin)))


def _tag(one_time, aad, text):
    """Poly1305 over what RFC 8439 says the AEAD authenticates."""
    r = int.from_bytes(one_time[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    padded = b"".join(part + bytes(-len(part) % 16) for part in (aad, text)) + struct.pack("<QQ", len(aad), len(text))
    total = 0
    for i in range(0, len(padded), 16):
        total = (total + int.from_bytes(padded[i:i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(one_time[16:32], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")


def agent_key(master, pid):
    """The key of one agent, from the master key."""
    extracted = hmac.digest(bytes(32), master, hashlib.sha256)
    return hmac.digest(extracted, b"varta-agent-v1\0" + struct.pack("<I", pid) + b"\1", hashlib.sha256)


def open_envelope(data, key):
    """Opens a datagram with a shared key, or a master key, as its size says. Returns the frame, prefix and counter; None if it does not open."""
    prefix = len(data) - SHARED_SIZE
    aad, nonce, text, tag = data[:prefix], data[prefix:prefix + 12], data[prefix + 12:-16], data[-16:]
    if prefix:
        key = agent_key(key, struct.unpack("<I", aad)[0])
    if not hmac.compare_digest(_tag(_block(key, 0, nonce), aad, text), tag):
        return None
    stream = _block(key, 1, nonce)
    return bytes(a ^ b for a, b in zip(text, stream)), nonce[:8], struct.unpack("<I", nonce[8:])[0]
