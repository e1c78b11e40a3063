"""What counts as proof that the operator is locked out, and where a killed handover goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from govpool.effects.handover import (
    Attempt,
    LockoutProof,
    Login,
    Step,
    UnitAccount,
    fingerprint,
    judge_attempt,
    next_step,
    prove_locked_out,
    unit_accounts,
)
from govpool.effects.playbook_paths import scratch
from govpool.effects.playbooks import Outcome, PlaybookResult, Target, TaskResult, sweep_stale

KNOWN = "debug1: Host '10.0.0.2' is known and matches the ED25519 host key."
OFFERED = "debug1: Offering public key: /run/x/key ED25519 SHA256:abc explicit"
AUTHENTICATED = "Authenticated to 10.0.0.2 ([10.0.0.2]:22)."
DENIED = "op@10.0.0.2: Permission denied (publickey)."
ACCOUNTS = (UnitAccount("admin", 1001, ("SHA256:abc",), "nopasswd"),)


@pytest.mark.parametrize(
    ("method", "status", "lines", "login"),
    [
        ("publickey", 255, [KNOWN, OFFERED, DENIED], Login.REFUSED),
        ("password", 255, [KNOWN, DENIED], Login.REFUSED),
        ("publickey", 0, [KNOWN, OFFERED], Login.OPEN),
        (
            "publickey",
            255,
            [KNOWN, OFFERED, AUTHENTICATED, "lost"],
            Login.OPEN,
        ),
        ("publickey", 1, [KNOWN, AUTHENTICATED], Login.OPEN),
        # our key file could not be read, so that nothing was offered
        ("publickey", 255, [KNOWN, 'Load key "/run/x/key": Permission denied', DENIED], Login.UNKNOWN),
        # another machine answers at the address
        ("publickey", 255, ["Host key verification failed."], Login.UNKNOWN),
        ("publickey", 255, [OFFERED, DENIED], Login.UNKNOWN),
        ("password", 255, ["ssh: connect to host 10.0.0.2 port 22: Connection refused"], Login.UNKNOWN),
        ("password", 255, ["ssh: connect to host 10.0.0.2 port 22: No route to host"], Login.UNKNOWN),
        (
            "publickey",
            255,
            [KNOWN, "kex_exchange: Connection closed by remote host"],
            Login.UNKNOWN,
        ),
        (
            "publickey",
            255,
            [KNOWN, OFFERED, "Too many authentication failures"],
            Login.UNKNOWN,
        ),
        ("publickey", 255, [], Login.UNKNOWN),
    ],
)
def test_judgement(method: str, status: int, lines: Sequence[str], login: Login) -> None:
    attempt = judge_attempt(method, status, "\r\n".join(lines))
    assert attempt.login is login
    assert attempt.said


@pytest.mark.parametrize(
    ("logins", "login"),
    [
        ([Login.REFUSED, Login.REFUSED], Login.REFUSED),
        ([Login.REFUSED, Login.UNKNOWN], Login.UNKNOWN),
        ([Login.UNKNOWN, Login.UNKNOWN], Login.UNKNOWN),
        ([Login.UNKNOWN, Login.OPEN], Login.OPEN),
        ([Login.REFUSED, Login.OPEN], Login.OPEN),
        ([], Login.UNKNOWN),
    ],
)
def test_every_way_in_must_be_refused(logins: list[Login], login: Login) -> None:
    proof = LockoutProof("a", "h", "op", "SHA256:x", tuple(Attempt("m", one, "said") for one in logins))
    assert proof.login is login
    assert proof.locked_out is (login is Login.REFUSED)


@pytest.mark.parametrize(
    ("recorded", "login", "step"),
    [
        (None, Login.OPEN, Step.MAKE_ACCOUNTS),
        ((), Login.OPEN, Step.MAKE_ACCOUNTS),
        (ACCOUNTS, Login.OPEN, Step.LEAVE),
        (ACCOUNTS, Login.REFUSED, Step.DONE),
        (None, Login.REFUSED, Step.ASK),
        ((), Login.REFUSED, Step.ASK),
        (None, Login.UNKNOWN, Step.RETRY),
        (ACCOUNTS, Login.UNKNOWN, Step.RETRY),
    ],
)
def test_where_a_handover_goes_on(recorded: tuple[UnitAccount, ...] | None, login: Login, step: Step) -> None:
    assert next_step(recorded, login) is step


def run_of(outcome: Outcome, host: str = "a", accounts: object = None) -> PlaybookResult:
    seen = [{"name": "admin", "uid": 1001, "keys": ["SHA256:abc"], "sudo": "nopasswd"}]
    result = {"accounts": seen if accounts is None else accounts}
    task = TaskResult(host, "Handover: accounts", "govpool_handover", outcome, result)  # type: ignore[arg-type]
    return PlaybookResult("successful", (task,), {}, frozenset(), frozenset(), 1.0)


def test_evidence_is_read_from_a_run_that_succeeded() -> None:
    assert unit_accounts(run_of(Outcome.CHANGED), "a") == ACCOUNTS
    assert unit_accounts(run_of(Outcome.OK), "a") == ACCOUNTS
    assert unit_accounts(run_of(Outcome.FAILED), "a") is None
    assert unit_accounts(run_of(Outcome.OK, host="b"), "a") is None
    assert unit_accounts(run_of(Outcome.OK, accounts=[]), "a") is None


def test_fingerprint_is_ssh_keygens() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    assert fingerprint(key) == "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"


async def test_nobody_there_is_no_proof() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    proof = await prove_locked_out(Target("a", "127.0.0.1", "op", "no key", key, port=1), timeout=5)
    assert proof.login is Login.UNKNOWN
    assert "refused" in proof.summary()  # the connection, not the login


def test_keys_of_a_killed_attempt_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVPOOL_RUNTIME_DIR", str(tmp_path / "runtime"))
    with scratch("lockout") as used:
        stale = used.with_name("lockout-stale")
        stale.mkdir()
        (stale / "key").touch()
        assert sweep_stale(tmp_path / "state") == ("lockout-stale",)
        assert used.is_dir()
    assert not used.exists()
    assert not stale.exists()
