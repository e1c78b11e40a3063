"""Overwrite a disk with a keyed pseudo-random stream, read it back, compare, then discard.

The stream is AES-256-CTR over zeros, counter = offset / 16, under a key that is random for each disk.
Nobody without the key can foresee what the disk must answer, so a matching read-back proves that every
block was written: zeros, which any discarding or lying backend answers for free, fail.

Technique class after NIST SP 800-88r2: Clear. Needs python3 >= 3.11 and python3-cryptography >= 38.
"""

from __future__ import annotations

import ctypes
import errno
import math
import mmap
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import cryptography
from ansible.module_utils.govpool_wipe_device import DiskDevice
from ansible.module_utils.govpool_wipe_record import Progress, Ranges, fingerprint
from ansible.module_utils.govpool_wipe_stream import (
    PIECE,
    SAMPLE_BLOCK,
    Keystream,
    sample_count,
    sample_offsets,
)

TOOL = "govpool_wipe"
VERSION = "1.0.0"

CHUNK = 1 << 20
"""Bytes written or read with one call."""
NARROW = (64 << 10, 4 << 10)
"""After an I/O error the chunk is tried again in parts of these sizes, so that the range lost is small."""
WORKERS = 3
CHECKPOINT_SECONDS = 5.0
MAX_FAILED_BLOCKS = 4096
"""With more blocks failing than this the disk counts as broken: destroy it instead."""
RECHECKS = 16
"""Places of the stretch already verified that a resumed verification reads again."""

_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_NOTHING = bytes(NARROW[-1])


class WipeFailedError(Exception):
    """The wipe could not go on; the progress file says how far it came. ``reason`` is one of
    DeviceGone, NoSpace, FlushFailed, TooManyErrors."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class WipeOrder:
    """What is to be wiped and how the result is verified."""

    disk_key: str
    path: str
    size_bytes: int
    key: bytes = field(repr=False)
    """32 random bytes, used for this disk only and kept sealed until the certificate is issued."""
    run_key: str = ""
    verification: str = "Full"
    """Full, or Sampled with ``share`` (0 to 1) and ``seed``."""
    share: float = 1.0
    seed: str = ""


class _Buffers(threading.local):
    """Page-aligned memory of one worker thread, as direct I/O needs it."""

    def __init__(self) -> None:
        self.data = memoryview(mmap.mmap(-1, CHUNK + 8192))
        self.stream = memoryview(mmap.mmap(-1, PIECE + 4096))
        self.data_address = ctypes.addressof(ctypes.c_char.from_buffer(self.data))
        self.stream_address = ctypes.addressof(ctypes.c_char.from_buffer(self.stream))


@dataclass
class _Part:
    """What came of one chunk."""

    offset: int
    length: int
    failed: list[tuple[int, int]] = field(default_factory=list)
    differing: list[tuple[int, int]] = field(default_factory=list)
    zero_bytes: int = 0


class Wipe:
    """One wipe of one disk: ``run`` does what is left to do and returns the report."""

    def __init__(
        self,
        order: WipeOrder,
        progress: Progress,
        *,
        open_device: Callable[[str, int], DiskDevice] = DiskDevice.open,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        if order.verification not in {"Full", "Sampled"}:
            raise ValueError(f"verification is Full or Sampled, not {order.verification}")
        if order.verification == "Sampled" and not (order.seed and 0 < order.share <= 1):
            raise ValueError("a sampled verification needs a seed and a share above 0 and at most 1")
        self._order = order
        self._progress = progress
        self._open = open_device
        self._now = now
        self._monotonic = monotonic
        self._interval = checkpoint_seconds
        self._stream = Keystream(order.key)
        self._buffers = _Buffers()
        self._device: DiskDevice

    # -- the run ---------------------------------------------------------------------------------
    def run(self) -> dict[str, object]:
        """Wipe, verify, discard. Raises RefusedError (nothing touched) or WipeFailedError (could not go on).

        The report's ``result`` is Verified, Mismatch (the disk did not answer the stream) or Incomplete
        (places could not be written or read). A finished run under the same key is told again, not repeated.
        """
        order, progress = self._order, self._progress
        state = progress.begin(
            order.disk_key, order.run_key, order.size_bytes, fingerprint(order.key), self._now()
        )
        if state.phase == "Done":
            return {**state.report, "adopted": True}
        self._device = self._open(order.path, order.size_bytes)
        try:
            if state.phase == "Overwriting":
                self._overwrite()
            if state.phase == "Verifying":
                self._verify()
            if state.phase == "Discarding":
                self._discard()
        finally:
            self._device.close()
        return {**state.report, "adopted": False}

    def _overwrite(self) -> None:
        state = self._progress.state
        size = self._device.size
        chunks = ((at, min(CHUNK, size - at)) for at in range(state.overwritten, size, CHUNK))
        last = self._monotonic()

        def checkpoint(offset: int) -> None:
            nonlocal last
            self._flush()
            state.overwritten = offset
            spent = self._monotonic() - last
            state.overwrite_seconds += spent
            last += spent
            self._progress.save()

        for part in self._in_order(self._write_chunk, chunks):
            state.write_errors.add(part.failed)
            self._give_up_when_broken(state.write_errors)
            if self._monotonic() - last >= self._interval:
                checkpoint(part.offset + part.length)
        checkpoint(size)
        state.phase = "Verifying"
        self._progress.save()

    def _verify(self) -> None:
        state, order = self._progress.state, self._order
        state.read_back = list(self._device.forget_cache())
        if order.verification == "Sampled":
            state.restart_verification()
            starts: Iterator[int] = sample_offsets(self._device.size, order.share, order.seed)
            step = SAMPLE_BLOCK
        else:
            if state.verified and not self._still_verified(state.verified):
                state.restart_verification()
            starts, step = iter(range(state.verified, self._device.size, CHUNK)), CHUNK
        chunks = ((at, min(step, self._device.size - at)) for at in starts)
        last = self._monotonic()
        for part in self._in_order(self._check_chunk, chunks):
            state.verify_errors.add(part.failed)
            state.mismatches.add(part.differing)
            state.zero_bytes += part.zero_bytes
            state.bytes_compared += part.length
            state.verified = part.offset + part.length
            self._give_up_when_broken(state.verify_errors)
            now = self._monotonic()
            if now - last >= self._interval:
                state.verify_seconds += now - last
                last = now
                self._progress.save()
        state.verify_seconds += self._monotonic() - last
        state.verified_at = _stamp(self._now())
        state.phase = "Discarding"
        # From here on the disk may answer zeros: what was proven must be on file before the discard.
        self._progress.save()

    def _discard(self) -> None:
        state = self._progress.state
        outcome, message = (
            "Kept",
            "not discarded: the verification did not pass, so the disk is kept as evidence",
        )
        if not (state.mismatches.count or state.verify_errors.count or state.write_errors.count):
            try:
                self._device.discard()
                outcome, message = "Done", ""
            except OSError as error:
                outcome, message = "NotSupported", error.strerror or str(error)
        state.report = self._report(outcome, message)
        state.phase = "Done"
        self._progress.save()

    def _report(self, discard: str, message: str) -> dict[str, object]:
        state, order, size = self._progress.state, self._order, self._device.size
        result = "Verified"
        if state.write_errors.count or state.verify_errors.count:
            result = "Incomplete"
        if state.mismatches.count:
            result = "Mismatch"
        written = size - state.write_errors.bytes
        sampled = order.verification == "Sampled"
        return {
            "disk_key": order.disk_key,
            "run_key": order.run_key,
            "result": result,
            "technique_class": "Clear",
            "technique": "Overwrite with AES-256-CTR keyed stream, one pass",
            "tool": TOOL,
            "tool_version": f"{VERSION} (cryptography {cryptography.__version__})",
            "key_fingerprint": state.key_fingerprint,
            "size_bytes": size,
            "bytes_written": written,
            "bytes_verified": state.bytes_compared - state.verify_errors.bytes - state.mismatches.bytes,
            "write_errors": state.write_errors.told(),
            "verify_errors": state.verify_errors.told(),
            "mismatches": state.mismatches.told(),
            "mismatched_zero_bytes": state.zero_bytes,
            "started_at": state.started_at,
            "verified_at": state.verified_at,
            "finished_at": _stamp(self._now()),
            "overwrite_seconds": round(state.overwrite_seconds, 3),
            "verify_seconds": round(state.verify_seconds, 3),
            "bytes_per_second": round(written / max(state.overwrite_seconds, 1e-9)),
            "verification": {
                "method": order.verification,
                "share": order.share if sampled else 1.0,
                "seed": order.seed if sampled else "",
                "block_bytes": SAMPLE_BLOCK if sampled else CHUNK,
                "blocks_read": sample_count(size, order.share) if sampled else math.ceil(size / CHUNK),
            },
            "read_back": state.read_back,
            "resumed": state.resumed,
            "discard": {"result": discard, "message": message},
        }

    # -- chunks, in worker threads ---------------------------------------------------------------
    def _in_order(
        self, work: Callable[[int, int], _Part], chunks: Iterator[tuple[int, int]]
    ) -> Iterator[_Part]:
        """Run ``work`` on chunks with WORKERS threads; yield what came of them in ascending order."""
        waiting: deque[Future[_Part]] = deque()
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="wipe") as pool:
            try:
                for chunk in chunks:
                    waiting.append(pool.submit(work, *chunk))
                    if len(waiting) > WORKERS:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _write_chunk(self, offset: int, length: int) -> _Part:
        data = self._buffers.data
        self._stream.fill(data, offset, length)
        part = _Part(offset, length)
        for at, size in self._narrowing(self._write_span, data, offset, length):
            part.failed.append((offset + at, size))
        return part

    def _check_chunk(self, offset: int, length: int) -> _Part:
        buffers = self._buffers
        part = _Part(offset, length)
        for at, size in self._narrowing(self._read_span, buffers.data, offset, length):
            part.failed.append((offset + at, size))
        unread = [(at - offset, at - offset + size) for at, size in part.failed]
        make = self._stream.start(offset)
        for position in range(0, length, PIECE):
            size = min(PIECE, length - position)
            make(buffers.stream, size)
            if _memcmp(buffers.data_address + position, buffers.stream_address, size) == 0:
                continue
            for at in range(0, size, NARROW[-1]):
                span = min(NARROW[-1], size - at)
                if any(low <= position + at < high for low, high in unread):
                    continue
                if _memcmp(buffers.data_address + position + at, buffers.stream_address + at, span) != 0:
                    part.differing.append((offset + position + at, span))
                    zero = _memcmp(buffers.data_address + position + at, _NOTHING, span) == 0
                    part.zero_bytes += span if zero else 0
        return part

    def _narrowing(
        self, work: Callable[[memoryview, int, int], None], data: memoryview, offset: int, length: int
    ) -> Iterator[tuple[int, int]]:
        """Do ``work`` on the whole, and after an error on ever smaller parts; yield the parts that failed."""
        todo: deque[tuple[int, int, int]] = deque([(0, length, 0)])
        while todo:
            at, size, level = todo.popleft()
            try:
                work(data[at:], offset + at, size)
            except OSError as error:
                _raise_if_gone(self._device.path, error)
                while level < len(NARROW) and NARROW[level] >= size:
                    level += 1
                if level == len(NARROW):
                    yield at, size
                    continue
                step = NARROW[level]
                lows = reversed(range(at, at + size, step))
                todo.extendleft((low, min(step, at + size - low), level + 1) for low in lows)

    def _write_span(self, data: memoryview, offset: int, length: int) -> None:
        done = 0
        while done < length:
            taken = self._device.write(data[done:length], offset + done)
            # After a short write go on from a block boundary: direct I/O takes no other offset.
            taken = taken if done + taken == length else taken - taken % self._device.block
            if taken <= 0:
                raise OSError(errno.EIO, "the disk takes no more bytes")
            done += taken

    def _read_span(self, data: memoryview, offset: int, length: int) -> None:
        done, whole = 0, -(-length // self._device.block) * self._device.block
        while done < length:
            got = self._device.read(data[done:whole], offset + done)
            got = got if done + got >= length else got - got % self._device.block
            if got <= 0:
                raise OSError(errno.EIO, "the disk gives no more bytes")
            done += got

    # -- checks ----------------------------------------------------------------------------------
    def _flush(self) -> None:
        try:
            self._device.flush()
        except OSError as error:
            _raise_if_gone(self._device.path, error)
            raise WipeFailedError(
                "FlushFailed",
                f"{self._device.path}: flush failed ({error.strerror}); nothing since the last one counts",
            ) from error

    def _still_verified(self, until: int) -> bool:
        """Whether what a killed run had verified still carries the stream, by reading some of it again.

        A block that matched once was overwritten, and stays so; this makes sure that it is the same disk.
        """
        places = {until * index // RECHECKS // CHUNK * CHUNK for index in range(RECHECKS)}
        for place in sorted(places):
            part = self._check_chunk(place, min(SAMPLE_BLOCK, self._device.size - place))
            if part.differing:
                return False
        return True

    def _give_up_when_broken(self, errors: Ranges) -> None:
        if errors.count > MAX_FAILED_BLOCKS:
            raise WipeFailedError(
                "TooManyErrors",
                f"{self._device.path}: more than {MAX_FAILED_BLOCKS} places fail: destroy the disk",
            )


def _raise_if_gone(path: str, error: OSError) -> None:
    if error.errno in {errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM, errno.EBADF}:
        raise WipeFailedError(
            "DeviceGone", f"{path} is gone ({error.strerror}); attach it again and repeat"
        ) from error
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise WipeFailedError(
            "NoSpace", f"{path}: the storage below is full ({error.strerror}); free space and repeat"
        ) from error


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def wipe(order: WipeOrder, progress_file: str | os.PathLike[str]) -> dict[str, object]:
    """Wipe one disk with the real device, clock and progress file. Raises RefusedError, WipeFailedError."""
    with Progress(progress_file) as progress:
        return Wipe(order, progress).run()
