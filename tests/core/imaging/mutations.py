"""Damaged copies of good files: flips, cuts, insertions, and lengths that lie."""

from __future__ import annotations

import random
import struct


def mutate(good: bytes, seed: int) -> bytes:
    """A damaged copy; the same for the same seed."""
    rng = random.Random(seed)
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        # Headers stand at the front: most damage goes there.
        end = len(data) if rng.random() < 0.3 else min(len(data), 2048)
        if end < 8:
            break
        at = rng.randrange(end)
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del data[rng.randrange(end) :]
        elif kind == 3:
            del data[at : at + rng.choice((1, 2, 8, 64))]
        elif kind == 4:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif kind == 5:
            lie = rng.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 20))
            width = rng.choice(("<H", "<I", ">I"))
            size = struct.calcsize(width)
            data[at : at + size] = struct.pack(width, lie & ((1 << 8 * size) - 1))
        else:
            source = rng.randrange(end)
            data[at : at + 16] = data[source : source + 16]
    return bytes(data)
