"""The pseudo-random stream that a wipe writes, and the places that a sampled verification reads.

Needs python3 >= 3.11 and python3-cryptography >= 38 on the sanitiser; no import of govpool.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator

from ansible.module_utils.govpool_wipe_device import RefusedError
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PIECE = 256 << 10
"""Bytes of stream made with one call: small enough to stay in the processor's cache."""
SAMPLE_BLOCK = 64 << 10
"""Bytes read at each place of a sampled verification."""
_ZEROS = bytes(PIECE)


class Keystream:
    """The stream for one disk; any part can be made at any time, by several threads at once."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise RefusedError("NoKey", "the key of a wipe is 32 random bytes; make one for this disk")
        self._algorithm = algorithms.AES(key)

    def start(self, offset: int) -> Callable[[memoryview, int], None]:
        """A maker of consecutive pieces from ``offset`` (a multiple of 16) on.

        It is called with a view and a length of at most PIECE; the view has 15 bytes to spare.
        """
        encryptor = Cipher(self._algorithm, modes.CTR((offset // 16).to_bytes(16, "big"))).encryptor()

        def make(view: memoryview, length: int) -> None:
            encryptor.update_into(_ZEROS if length == PIECE else bytes(length), view)

        return make

    def fill(self, view: memoryview, offset: int, length: int) -> None:
        """Write the stream from ``offset`` on into ``view``, which has 15 bytes to spare."""
        make = self.start(offset)
        for position in range(0, length, PIECE):
            size = min(PIECE, length - position)
            make(view[position : position + size + 15], size)


def sample_offsets(size: int, share: float, seed: str) -> Iterator[int]:
    """Offsets of the blocks that a sample reads, ascending: one drawn from each of n equal stretches.

    n = ceil(share * blocks). A block of each stretch is drawn uniformly, so that the odds of finding what was
    left over have a lower bound whatever its placement (docs/wiping.md).
    """
    blocks = math.ceil(size / SAMPLE_BLOCK)
    count = sample_count(size, share)
    for index in range(count):
        first, after = index * blocks // count, (index + 1) * blocks // count
        drawn = hashlib.sha256(f"{seed}/{index}".encode()).digest()
        yield (first + int.from_bytes(drawn[:8], "big") % (after - first)) * SAMPLE_BLOCK


def sample_count(size: int, share: float) -> int:
    """How many blocks of SAMPLE_BLOCK bytes a sample of ``share`` reads."""
    blocks = math.ceil(size / SAMPLE_BLOCK)
    return min(blocks, max(1, math.ceil(share * blocks)))
