"""restic as a backup of one disk needs it: quiet, JSON, its password in memory only.

Runs on the sanitiser with its own python3: standard library only, no import of govpool. Written for
restic 0.14 (Debian 12), whose exit code is 0 (done), 3 (done, but some of the source could not be read)
or 1 (anything else).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import signal
import subprocess
from typing import BinaryIO, Callable, Iterator, Mapping, Sequence

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class BackupFailed(Exception):
    """The backup could not be made. ``reason`` is one of NoRestic, Repository, Source, PartlyRead, Verification,
    AlreadyRunning, NotADisk."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def public_place(repository: str) -> str:
    """The repository's place without the user and password that its URL may carry."""
    return re.sub(r"//[^/@]*@", "//", repository)


class Restic:
    """One repository."""

    def __init__(self, repository: str, password: str, environment: Mapping[str, str]) -> None:
        self.place = public_place(repository)
        self._hidden = [password, *environment.values()]
        # A memory file needs no clean-up, whatever kills us, and never reaches a disk.
        self._password = os.memfd_create("restic-password", os.MFD_CLOEXEC)
        os.write(self._password, password.encode())
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/root",
            **environment,
            "RESTIC_REPOSITORY": repository,
            "RESTIC_PASSWORD_FILE": f"/proc/self/fd/{self._password}",
        }

    def run(self, *arguments: str, cwd: str | None = None, reason: str) -> bytes:
        """Run to the end and return the output. Raises BackupFailed with restic's own words."""
        done = subprocess.run(
            self._command(arguments), cwd=cwd, capture_output=True, check=False, stdin=subprocess.DEVNULL, **self._how()
        )
        if done.returncode != 0:
            raise BackupFailed(reason, f"restic {arguments[0]} ended with {done.returncode}: {self._said(done.stderr)}")
        return done.stdout

    def feed(self, source: BinaryIO, *arguments: str) -> tuple[bytes, str, int]:
        """Run with ``source`` as its input; return the output, the input's SHA-256 and its length in bytes."""
        digest, length = hashlib.sha256(), 0
        with self._popen(arguments, stdin=subprocess.PIPE) as child:
            with contextlib.suppress(BrokenPipeError):  # restic ended early and says why below
                while block := source.read(1 << 20):
                    digest.update(block)
                    length += len(block)
                    child.stdin.write(block)
            out, err = child.communicate()
        if child.returncode != 0:
            raise BackupFailed("Source", f"restic {arguments[0]} ended with {child.returncode}: {self._said(err)}")
        return out, digest.hexdigest(), length

    def drain(self, take: Callable[[BinaryIO], None], *arguments: str) -> None:
        """Run and hand its output to ``take`` as it comes."""
        with self._popen(arguments, stdin=subprocess.DEVNULL) as child:
            take(child.stdout)
            out, err = child.communicate()
        if child.returncode != 0 or out:
            raise BackupFailed("Verification", f"restic {arguments[0]}: {self._said(err) or 'more output than expected'}")

    def records(self, *arguments: str, reason: str) -> list[dict]:
        """Run with --json and return its answer, which is one list."""
        return json.loads(self.run(*arguments, "--json", reason=reason) or b"null") or []

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return ["restic", "--quiet", "--no-cache", *arguments]

    def _how(self) -> dict:
        return {"env": self._environment, "pass_fds": (self._password,), "preexec_fn": _die_with_parent}

    @contextlib.contextmanager
    def _popen(self, arguments: Sequence[str], stdin: int) -> Iterator[subprocess.Popen]:
        child = subprocess.Popen(
            self._command(arguments), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **self._how()
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
            child.wait()

    def _said(self, stderr: bytes) -> str:
        text = public_place(" ".join(stderr.decode(errors="replace").split()))[-600:]
        for secret in self._hidden:
            text = text.replace(secret, "********") if secret else text
        return text


def _die_with_parent() -> None:
    # An orphaned restic would keep the disk mounted and go on copying it.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
