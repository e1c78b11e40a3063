"""The handover (交付): the unit's accounts are made, the operator's access goes, and that it is gone is
proven.

After the operator has left nobody can look inside, so a refused login alone proves little: it may as well
mean that the machine was broken before the unit's accounts were made. Hence two runs of ``handover.yml``
with a record between them, and a proof from outside. **The caller persists what it gets after each step,
before the next one:**

1. ``handover_phase=accounts``; it only adds and may be repeated. Persist :func:`unit_accounts` (which
accounts
   with which key fingerprints were seen) together with the machine's host key.
2. ``handover_phase=leave``; the machine goes on with it by itself once begun, even if the connection
breaks. Its
   result need not be persisted.
3. :func:`prove_locked_out`, persist the :class:`LockoutProof`.

After a kill anywhere, :func:`next_step` says where to go on from what was persisted and from a login
attempted now: a refused login counts as handed over only if step 1 is on record; without the record it is
Unknown, and a person must look.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import JsonValue

from govpool.effects.playbook_child import known_hosts_line, ssh_options
from govpool.effects.playbook_paths import scratch
from govpool.effects.playbooks import Outcome, PlaybookResult, Target

PLAYBOOK = "handover.yml"
MODULE = "govpool_handover"
_REFUSED = "Permission denied ("


class Login(StrEnum):
    """What came of an attempt to log in."""

    REFUSED = "Refused"
    """The machine that we know by its host key was reached, looked at what we offered, and said no."""
    OPEN = "Open"
    """It let us in."""
    UNKNOWN = "Unknown"
    """It was not reached, it was another machine, or the attempt broke on our side."""


class Step(StrEnum):
    """What to do next in a handover."""

    MAKE_ACCOUNTS = "MakeAccounts"
    LEAVE = "Leave"
    DONE = "Done"
    ASK = "Ask"
    """Locked out without a record that the unit's accounts were made: a person must look (console,
    rebuild)."""
    RETRY = "Retry"
    """The machine could not be reached; nothing is known."""


@dataclass(frozen=True, slots=True)
class UnitAccount:
    """An account of the unit as it was seen on the machine."""

    name: str
    uid: int
    key_fingerprints: tuple[str, ...]
    sudo: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to log in, and what ssh said."""

    method: str
    login: Login
    said: str


@dataclass(frozen=True, slots=True)
class LockoutProof:
    """The attempts, by the operator's key and by password, to log in to a machine that was handed over."""

    target: str
    host: str
    user: str
    host_key_fingerprint: str
    attempts: tuple[Attempt, ...]

    @property
    def login(self) -> Login:
        """Refused only if every attempt was; open if any was."""
        found = {attempt.login for attempt in self.attempts}
        if Login.OPEN in found:
            return Login.OPEN
        return Login.REFUSED if found == {Login.REFUSED} else Login.UNKNOWN

    @property
    def locked_out(self) -> bool:
        """Whether it is proven that the operator can't get in."""
        return self.login is Login.REFUSED

    def summary(self) -> str:
        """Write the proof in one line, as the CloudServer's status keeps it."""
        tried = "; ".join(f"{a.method}: {a.login.value} ({a.said})" for a in self.attempts)
        return f"{self.user}@{self.host} (host key {self.host_key_fingerprint}): {tried}"


def next_step(recorded: Sequence[UnitAccount] | None, login: Login) -> Step:
    """Say where a handover goes on. ``recorded`` is what step 1 left, None if nothing was persisted. Pure."""
    match login:
        case Login.UNKNOWN:
            return Step.RETRY
        case Login.OPEN:
            return Step.LEAVE if recorded else Step.MAKE_ACCOUNTS
        case Login.REFUSED:
            return Step.DONE if recorded else Step.ASK


def unit_accounts(result: PlaybookResult, host: str) -> tuple[UnitAccount, ...] | None:
    """Read the evidence of step 1 for one host out of a run; None if the run does not hold it."""
    for task in result.of_action(MODULE):
        seen = task.result.get("accounts")
        done = task.outcome in (Outcome.OK, Outcome.CHANGED)
        if task.host == host and done and isinstance(seen, list) and seen:
            return tuple(_account(account) for account in seen if isinstance(account, dict))
    return None


def _account(seen: Mapping[str, JsonValue]) -> UnitAccount:
    keys = seen["keys"]
    prints = tuple(str(key) for key in keys) if isinstance(keys, list) else ()
    return UnitAccount(str(seen["name"]), int(str(seen["uid"])), prints, str(seen["sudo"]))


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint of an OpenSSH public key, as ``ssh-keygen -l`` prints it."""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


async def prove_locked_out(target: Target, *, timeout: float = 20.0) -> LockoutProof:  # noqa: ASYNC109
    """Try to log in as the operator did, by its key and by password, and report what the machine said.

    ``timeout`` is in seconds and per attempt. Nothing is raised for a machine that can't be reached: that is
    :attr:`Login.UNKNOWN`, and no proof.

    Raises:
        OSError: setpriv(1) is not installed, or no temporary file could be written.
    """
    line = known_hosts_line(target.host, target.port, target.host_public_key)
    with scratch("lockout") as folder:
        _owned(folder / "known_hosts", line, 0o600)
        _owned(folder / "key", target.private_key.rstrip("\n") + "\n", 0o600)
        _owned(folder / "ask", f"#!/bin/sh\necho {secrets.token_hex(16)}\n", 0o700)
        attempts = await asyncio.gather(
            _attempt("publickey", target, folder, ("-i", str(folder / "key")), timeout),
            _attempt("password", target, folder, (), timeout),
        )
    return LockoutProof(target.name, target.host, target.user, fingerprint(target.host_public_key), attempts)


def _owned(path: Path, text: str, mode: int) -> None:
    path.touch(mode=mode)
    path.write_text(text)


async def _attempt(
    method: str, target: Target, folder: Path, extra: tuple[str, ...], limit: float
) -> Attempt:
    by_key = method == "publickey"
    wanted = {
        "PreferredAuthentications": method if by_key else "password,keyboard-interactive",
        "PubkeyAuthentication": "yes" if by_key else "no",
        "NumberOfPasswordPrompts": "1",
        "ConnectTimeout": str(max(1, int(limit / 2))),
        "ControlPath": "none",
        "LogLevel": "DEBUG1",
    }
    options = [word for name, value in wanted.items() for word in ("-o", f"{name}={value}")]
    if not by_key:
        options += ["-o", "BatchMode=no"]  # the first value counts
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {"SSH_ASKPASS": str(folder / "ask"), "SSH_ASKPASS_REQUIRE": "force", "HOME": str(folder)}
    child = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL", "ssh"),  # dies with us
        *options,
        *ssh_options(folder / "known_hosts"),
        *extra,
        *("-n", "-T", "-p", str(target.port), "-l", target.user, target.host, "true"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit):
            _, errors = await child.communicate()
    except TimeoutError:
        return Attempt(method, Login.UNKNOWN, f"no answer within {limit:.0f} s")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return judge_attempt(method, child.returncode or 0, errors.decode(errors="replace"))


def judge_attempt(method: str, status: int, errors: str) -> Attempt:
    """Judge ssh(1) by its exit status and its messages at LogLevel DEBUG1. Pure.

    "Permission denied" is believed only after the host key matched, and for a key only if the key was
    offered: the words also stand in messages about files on our side.
    """
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if status == 0 or any(line.startswith("Authenticated to ") for line in lines):
        return Attempt(method, Login.OPEN, "logged in")
    known = any(
        "matches the ED25519 host key" in line or "is known and matches the" in line for line in lines
    )
    offered = method != "publickey" or any("Offering public key" in line for line in lines)
    refusal = next((line for line in reversed(lines) if _REFUSED in line), None)
    if refusal and known and offered:
        return Attempt(method, Login.REFUSED, refusal.rstrip("."))
    told = [line for line in lines if not line.startswith(("debug1:", "OpenSSH_"))]
    return Attempt(method, Login.UNKNOWN, told[-1] if told else f"ssh ended with status {status}")
