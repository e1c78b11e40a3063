"""The wipe engine on files, with faults injected between it and the disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import ansible.module_utils
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MODULE_UTILS = Path(__file__).parents[2] / "playbooks" / "module_utils"
if str(MODULE_UTILS) not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(str(MODULE_UTILS))

from ansible.module_utils import govpool_wipe_engine as engine  # noqa: E402
from ansible.module_utils.govpool_wipe_device import DiskDevice, RefusedError, loop_over  # noqa: E402
from ansible.module_utils.govpool_wipe_record import Progress, Ranges, read  # noqa: E402
from ansible.module_utils.govpool_wipe_stream import (  # noqa: E402
    SAMPLE_BLOCK,
    Keystream,
    sample_offsets,
)

KEY = bytes(range(32))
MIB = 1 << 20
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MARKER = b"minutes of the district bureau, not for the next tenant"


class Faulty(DiskDevice):
    """A real file below, and faults on top. ``on_write``/``on_read`` may raise, shorten or lie."""

    on_write: Callable[[int, int], int | None] = staticmethod(lambda offset, length: None)
    on_read: Callable[[memoryview, int], None] = staticmethod(lambda view, offset: None)
    log: list[tuple[str, int, int]]

    def write(self, view: memoryview, offset: int) -> int:
        allowed = self.on_write(offset, len(view))
        if allowed == 0:
            return len(view)  # says it wrote, and did not
        if allowed is not None:
            view = view[: min(allowed, len(view))]
        return super().write(view, offset)

    def read(self, view: memoryview, offset: int) -> int:
        got = super().read(view, offset)
        self.on_read(view[:got], offset)
        return got

    def discard(self) -> None:
        raise OSError(errno.EOPNOTSUPP, "not here")


def disk(path: Path, size: int) -> Path:
    body = (MARKER * (size // len(MARKER) + 1))[:size]
    path.write_bytes(body)
    return path


def run(
    path: Path,
    size: int,
    *,
    opened: Callable[[str, int], DiskDevice] = Faulty.open,
    key: bytes = KEY,
    **order: object,
) -> dict:
    with Progress(path.with_suffix(".json")) as progress:
        wanted = engine.WipeOrder("d-0", str(path), size, key, run_key="wo-1", **order)
        clock = iter(range(10**9))
        wipe = engine.Wipe(
            wanted,
            progress,
            open_device=opened,
            now=lambda: NOW,
            monotonic=lambda: next(clock),
            checkpoint_seconds=0,
        )
        return wipe.run()


def faulty(**faults: object) -> Callable[[str, int], DiskDevice]:
    def opened(path: str, size: int) -> DiskDevice:
        device = Faulty.open(path, size)
        for name, fault in faults.items():
            setattr(device, name, fault)
        return device

    return opened


def stream(size: int) -> bytes:
    room = memoryview(bytearray(size + 16))
    Keystream(KEY).fill(room, 0, size)
    return bytes(room[:size])


# -- the stream ----------------------------------------------------------------------------------
@given(offset=st.integers(0, 40_000).map(lambda n: n * 16), length=st.integers(1, 700_000))
@settings(max_examples=40, deadline=None)
def test_any_part_of_the_stream_is_the_same_as_in_the_whole(offset: int, length: int) -> None:
    room = memoryview(bytearray(length + 16))
    Keystream(KEY).fill(room, offset, length)
    whole = memoryview(bytearray(offset + length + 16))
    Keystream(KEY).fill(whole, 0, offset + length)
    assert room[:length] == whole[offset : offset + length]


def test_the_stream_is_aes_256_ctr_as_openssl_makes_it(tmp_path: Path) -> None:
    zeros = tmp_path / "zeros"
    zeros.write_bytes(bytes(100_000))
    command = [
        "openssl",
        "enc",
        "-aes-256-ctr",
        "-nosalt",
        "-K",
        KEY.hex(),
        "-iv",
        "0" * 32,
        "-in",
        str(zeros),
    ]
    assert subprocess.run(command, check=True, capture_output=True).stdout == stream(100_000)


# -- the whole -----------------------------------------------------------------------------------
@given(size=st.integers(1, 9 * MIB))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_of_any_size_holds_the_stream_and_nothing_else(tmp_path: Path, size: int) -> None:
    path = disk(tmp_path / "disk", size)
    path.with_suffix(".json").unlink(missing_ok=True)
    report = run(path, size)
    assert report["result"] == "Verified"
    assert report["bytes_written"] == report["bytes_verified"] == size
    assert path.stat().st_size == size
    assert path.read_bytes() == stream(size)
    assert report["discard"] == {"result": "NotSupported", "message": "not here"}


def test_a_verified_disk_is_discarded(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 3 * MIB + 5)
    report = run(path, 3 * MIB + 5, opened=DiskDevice.open)
    assert report["discard"]["result"] == "Done"
    assert not any(path.read_bytes())
    assert path.stat().st_size == 3 * MIB + 5


def test_the_report_never_holds_the_key(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 100_000)
    text = json.dumps(run(path, 100_000)) + path.with_suffix(".json").read_text()
    assert KEY.hex() not in text
    assert repr(KEY) not in repr(engine.WipeOrder("d", "p", 1, KEY))


# -- lies ----------------------------------------------------------------------------------------
def blank(view: memoryview, offset: int) -> None:
    view[:] = bytes(len(view))


def test_a_disk_that_answers_zeros_fails(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 6 * MIB)
    report = run(path, 6 * MIB, opened=faulty(on_read=blank))
    assert report["result"] == "Mismatch"
    assert report["mismatches"]["bytes"] == report["mismatched_zero_bytes"] == 6 * MIB
    assert report["bytes_verified"] == 0
    assert report["discard"]["result"] == "Kept"


def test_a_disk_that_only_pretends_to_write_fails_and_the_place_is_told(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 12 * MIB)
    report = run(path, 12 * MIB, opened=faulty(on_write=lambda at, n: 0 if at == 4 * MIB else None))
    assert report["result"] == "Mismatch"
    assert report["mismatches"] == {"count": 1, "bytes": engine.CHUNK, "ranges": [[4 * MIB, engine.CHUNK]]}
    assert report["mismatched_zero_bytes"] == 0


@given(place=st.integers(0, 5 * MIB + 16), bit=st.integers(0, 7))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_flipped_bit_anywhere_is_found(tmp_path: Path, place: int, bit: int) -> None:
    size = 5 * MIB + 17
    path = disk(tmp_path / "disk", size)
    path.with_suffix(".json").unlink(missing_ok=True)

    def flip(view: memoryview, offset: int) -> None:
        if offset <= place < offset + len(view):
            view[place - offset] ^= 1 << bit

    report = run(path, size, opened=faulty(on_read=flip))
    assert report["result"] == "Mismatch"
    ((offset, length),) = report["mismatches"]["ranges"]
    assert offset <= place < offset + length <= size
    assert length <= 4096


def test_a_failed_wipe_is_begun_anew(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 2 * MIB)
    assert run(path, 2 * MIB, opened=faulty(on_read=blank))["result"] == "Mismatch"
    report = run(path, 2 * MIB)
    assert (report["result"], report["adopted"]) == ("Verified", False)


# -- faults --------------------------------------------------------------------------------------
@given(step=st.integers(1, 300_000))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_short_writes_lose_nothing(tmp_path: Path, step: int) -> None:
    size = 2 * MIB + 777
    path = disk(tmp_path / "disk", size)
    path.with_suffix(".json").unlink(missing_ok=True)
    report = run(path, size, opened=faulty(on_write=lambda at, n: max(step, 4096)))
    assert report["result"] == "Verified"
    assert path.read_bytes() == stream(size)


def fails_at(bad: range, number: int = errno.EIO) -> Callable[..., None]:
    def check(one: object, other: object) -> None:
        offset, length = (one, other) if isinstance(one, int) else (other, len(one))
        if offset < bad.stop and bad.start < offset + length:
            raise OSError(number, os.strerror(number))

    return check


def test_a_place_that_can_not_be_written_is_told_narrowly(tmp_path: Path) -> None:
    bad = range(5 * MIB + 8192, 5 * MIB + 8192 + 100)
    path = disk(tmp_path / "disk", 12 * MIB)
    report = run(path, 12 * MIB, opened=faulty(on_write=fails_at(bad)))
    assert report["write_errors"] == {"count": 1, "bytes": 4096, "ranges": [[5 * MIB + 8192, 4096]]}
    assert report["bytes_written"] == 12 * MIB - 4096
    # What could not be written still holds the old data, and the read-back sees that.
    assert report["result"] == "Mismatch"
    assert report["mismatches"]["ranges"] == [[5 * MIB + 8192, 4096]]


def test_a_place_that_can_not_be_read_is_told_and_the_rest_is_verified(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 6 * MIB)
    report = run(path, 6 * MIB, opened=faulty(on_read=fails_at(range(MIB, MIB + 1))))
    assert report["result"] == "Incomplete"
    assert report["verify_errors"]["ranges"] == [[MIB, 4096]]
    assert report["bytes_verified"] == 6 * MIB - 4096
    assert report["discard"]["result"] == "Kept"


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENODEV, "DeviceGone"), (errno.ENXIO, "DeviceGone"), (errno.ENOSPC, "NoSpace")],
)
def test_a_disk_that_goes_away_stops_the_wipe_and_keeps_its_progress(
    tmp_path: Path, number: int, reason: str
) -> None:
    size = 40 * MIB
    path = disk(tmp_path / "disk", size)
    with pytest.raises(engine.WipeFailedError) as caught:
        run(path, size, opened=faulty(on_write=fails_at(range(30 * MIB, 30 * MIB + 1), number)))
    assert caught.value.reason == reason
    state = read(path.with_suffix(".json"))
    assert state is not None and state.phase == "Overwriting" and 0 < state.overwritten <= 30 * MIB
    report = run(path, size)
    assert report["result"] == "Verified" and report["resumed"] == 1
    assert path.read_bytes() == stream(size)


def test_a_flush_that_fails_is_never_counted(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 20 * MIB)

    def flush() -> None:
        raise OSError(errno.EIO, "flush")

    with pytest.raises(engine.WipeFailedError, match="flush failed"):
        run(path, 20 * MIB, opened=faulty(flush=flush))
    state = read(path.with_suffix(".json"))
    assert state is not None and state.overwritten == 0


def test_a_broken_disk_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MAX_FAILED_BLOCKS", 3)
    path = disk(tmp_path / "disk", 4 * MIB)
    bad = {at * 16384 for at in range(10)}

    def check(offset: int, length: int) -> None:
        if any(offset <= at < offset + length for at in bad):
            raise OSError(errno.EIO, "bad")

    with pytest.raises(engine.WipeFailedError) as caught:
        run(path, 4 * MIB, opened=faulty(on_write=check))
    assert caught.value.reason == "TooManyErrors"


# -- resuming ------------------------------------------------------------------------------------
class Killed(BaseException):
    """Stands for SIGKILL: nothing in the engine may handle it."""


@given(kills=st.lists(st.integers(0, 24), min_size=1, max_size=4), size=st.integers(9 * MIB, 26 * MIB))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_killed_and_resumed_is_the_same_as_once(tmp_path: Path, kills: list[int], size: int) -> None:
    path = disk(tmp_path / "disk", size)
    path.with_suffix(".json").unlink(missing_ok=True)
    for kill in kills:
        left = kill

        def saw(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            save = Progress.save
            patch.setattr(Progress, "save", lambda self, save=save, saw=saw: (saw(), save(self))[1])
            try:
                report = run(path, size)
            except Killed:
                continue
    report = run(path, size)
    assert report["result"] == "Verified"
    assert report["bytes_written"] == report["bytes_verified"] == size
    assert path.read_bytes() == stream(size)


def test_a_resumed_verification_notices_that_it_is_another_disk(tmp_path: Path) -> None:
    size = 24 * MIB
    path = disk(tmp_path / "disk", size)
    seen = 0

    def die(view: memoryview, offset: int) -> None:
        nonlocal seen
        seen += 1
        if offset >= 20 * MIB:
            raise Killed

    with pytest.raises(Killed):
        run(path, size, opened=faulty(on_read=die))
    state = read(path.with_suffix(".json"))
    assert state is not None and state.phase == "Verifying" and state.verified > 0
    disk(path, size)
    report = run(path, size)
    assert report["result"] == "Mismatch"
    assert report["mismatches"]["bytes"] == size


def test_a_finished_wipe_is_told_again_and_another_key_begins_anew(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", MIB)
    first = run(path, MIB)
    again = run(path, MIB)
    assert again == {**first, "adopted": True}
    other = run(path, MIB, key=bytes(32))
    assert not other["adopted"] and other["key_fingerprint"] != first["key_fingerprint"]
    assert path.read_bytes() != stream(MIB)


CHILD = """
import sys, ansible.module_utils
ansible.module_utils.__path__.append(sys.argv[1])
from ansible.module_utils import govpool_wipe_engine as engine
from ansible.module_utils.govpool_wipe_record import Progress
path, size = sys.argv[2], int(sys.argv[3])
with Progress(path + ".json") as progress:
    order = engine.WipeOrder("d-0", path, size, bytes(range(32)), run_key="wo-1")
    wipe = engine.Wipe(order, progress, checkpoint_seconds=0)
    save, count = progress.save, 0
    def saved():
        global count
        save()
        count += 1
        if count == int(sys.argv[4]):
            print("now", flush=True)
            sys.stdin.read()
    progress.save = saved
    wipe.run()
"""


@pytest.mark.parametrize("save", [2, 5, 9, 14])
def test_kill_9_in_mid_flight(tmp_path: Path, save: int) -> None:
    size = 24 * MIB + 4097
    path = disk(tmp_path / "disk", size)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(MODULE_UTILS), str(path), str(size), str(save)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdout.readline() == b"now\n"
    with Progress(tmp_path / "other.json"), pytest.raises(RefusedError) as caught:
        Progress(str(path) + ".json").__enter__()
    assert caught.value.reason == "AlreadyRunning"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    with Progress(str(path) + ".json") as progress:
        order = engine.WipeOrder("d-0", str(path), size, KEY, run_key="wo-1")
        report = engine.Wipe(order, progress, open_device=Faulty.open).run()
    assert report["resumed"] == 1 and report["result"] == "Verified"
    assert report["bytes_verified"] == size
    assert path.read_bytes() == stream(size)


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"format": 99}', b'{"format": 1, "disk_key": 3}'])
def test_a_progress_file_that_can_not_be_read_means_from_the_beginning(tmp_path: Path, junk: bytes) -> None:
    path = disk(tmp_path / "disk", MIB)
    path.with_suffix(".json").write_bytes(junk)
    assert run(path, MIB)["bytes_verified"] == MIB


# -- refusals ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "size", "reason"),
    [
        (lambda p: None, 1, "NotADisk"),
        (lambda p: p.mkdir(), 1, "NotADisk"),
        (os.mkfifo, 1, "NotADisk"),
        (lambda p: p.symlink_to("/dev/null"), 1, "NotADisk"),
        (lambda p: p.write_bytes(bytes(4096)), 4097, "SizeDiffers"),
        (lambda p: p.write_bytes(bytes(4096)), 4095, "SizeDiffers"),
    ],
)
def test_what_is_not_the_disk_is_refused(
    tmp_path: Path, make: Callable[[Path], object], size: int, reason: str
) -> None:
    path = tmp_path / "disk"
    make(path)
    with pytest.raises(RefusedError) as caught:
        run(path, size)
    assert caught.value.reason == reason
    assert str(path) in caught.value.message


def test_a_file_that_somebody_holds_is_refused(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 4096)
    holder = DiskDevice.open(str(path), 4096)
    with pytest.raises(RefusedError) as caught:
        run(path, 4096)
    holder.close()
    assert caught.value.reason == "Held"
    assert path.read_bytes().startswith(MARKER)


def test_a_file_nobody_attached_has_no_loop_device(tmp_path: Path) -> None:
    assert loop_over(str(disk(tmp_path / "disk", 4096))) is None


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    path = disk(tmp_path / "disk", 4096)
    with pytest.raises(RefusedError) as caught:
        run(path, 4096, key=b"short")
    assert caught.value.reason == "NoKey"


# -- samples -------------------------------------------------------------------------------------
@given(size=st.integers(1, 400 * MIB), share=st.floats(0.0001, 1), seed=st.text(min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_sample_is_spread_ascending_and_within_the_disk(size: int, share: float, seed: str) -> None:
    drawn = list(sample_offsets(size, share, seed))
    blocks = -(-size // SAMPLE_BLOCK)
    assert drawn == sorted(set(drawn))
    assert all(offset % SAMPLE_BLOCK == 0 and offset < size for offset in drawn)
    assert len(drawn) >= share * blocks - 1e-6
    assert drawn == list(sample_offsets(size, share, seed))


def test_a_sampled_wipe_says_how_much_it_read(tmp_path: Path) -> None:
    size = 8 * MIB
    path = disk(tmp_path / "disk", size)
    report = run(path, size, verification="Sampled", share=0.1, seed="s-1")
    assert report["result"] == "Verified"
    assert report["verification"] == {
        "method": "Sampled",
        "share": 0.1,
        "seed": "s-1",
        "block_bytes": SAMPLE_BLOCK,
        "blocks_read": 13,
    }
    assert report["bytes_verified"] == 13 * SAMPLE_BLOCK and report["bytes_written"] == size


def test_a_sample_without_a_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed"):
        run(disk(tmp_path / "disk", MIB), MIB, verification="Sampled", share=0.1)


# -- the record ----------------------------------------------------------------------------------
@given(found=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=200))
def test_ranges_join_neighbours_and_keep_count(found: list[tuple[int, int]]) -> None:
    ranges, at, stretches, end = Ranges(), 0, 0, -1
    for gap, length in found:
        at += gap
        stretches += at != end
        ranges.add([(at, length)])
        at = end = at + length
    assert ranges.count == stretches
    assert ranges.bytes == sum(length for _, length in found)
    assert len(ranges.ranges) == min(stretches, 64)
    if stretches <= 64:
        assert sum(length for _, length in ranges.ranges) == ranges.bytes


def test_killed_between_the_discard_and_the_last_word_is_still_verified(tmp_path: Path) -> None:
    size = 3 * MIB
    path = disk(tmp_path / "disk", size)

    class DiesAfterDiscard(DiskDevice):
        def discard(self) -> None:
            super().discard()
            raise Killed

    with pytest.raises(Killed):
        run(path, size, opened=DiesAfterDiscard.open)
    assert not any(path.read_bytes())
    report = run(path, size, opened=DiskDevice.open)
    assert report["result"] == "Verified" and report["bytes_verified"] == size
    assert report["discard"]["result"] == "Done"
