"""Mail to who must act, over a real server that wants TLS and a log-in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from govpool.api.policy_roles import Role
from tests.functional.observability.notified import Town, due
from tests.functional.observability.receivers import PASSWORD, mail_server


def mail(port: int, ca: Path, password: Path, **more: Any) -> dict[str, Any]:
    return {
        "name": "mail",
        "type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "caFile": str(ca),
        "username": "govpool",
        "password": {"file": str(password)},
        "sender": "govpool@gov.example",
        "to": {"reviewer": ["desk@gov.example", "li@gov.example"]},
        **more,
    }


async def test_mail_goes_over_tls_to_who_must_act_and_the_units_contacts(town: Town, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    town.put(due(), due(Role.UNIT))
    async with mail_server(tmp_path) as (box, ca):
        box.data = ["451 later", "250 OK"]
        box.refuse = {"li@gov.example": "550 nobody here"}
        async with town.operator(mail(box.port, ca, password)):
            await box.after(2)
            await town.settled("mail", 2)
    assert sorted(to for to, _ in box.mails) == [
        ("chenli@heshan.example", "liumin@heshan.example"),
        ("desk@gov.example",),
    ]
    letter = next(found for to, found in box.mails if to == ("desk@gov.example",))
    assert str(letter["Subject"]).startswith("待办：审核（")
    assert letter["To"] == "undisclosed-recipients:;" and letter["Auto-Submitted"] == "auto-generated"
    text = letter.get_content()
    assert "办理时限：2026-11-26 09:00（北京时间）" in text and "依据：YY-14(2)" in text
    assert "govpool status doc-approval -n heshan-data-bureau" in text and "li@" not in str(letter)
    assert box.logins >= 2


async def test_a_wrong_password_and_an_untrusted_server_are_told_and_nothing_is_lost(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    password = tmp_path / "password"
    password.write_text("guessed")
    town.put(due())
    async with mail_server(tmp_path) as (box, ca):
        async with town.operator(mail(box.port, ca, password)):
            async with asyncio.timeout(120):
                while "are not accepted (535)" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            password.write_text(PASSWORD)
            await box.after(1)
            await town.settled("mail", 1)
        town.put(due(Role.UNIT))
        other = mail(box.port, ca, password) | {"name": "other"}
        del other["caFile"]
        async with town.operator(other) as made:
            async with asyncio.timeout(120):
                while "channel other rests" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert made.outboxes[0].pending == 1
    assert len(box.mails) == 1 and "guessed" not in caplog.text and PASSWORD not in caplog.text
    assert "@" not in caplog.text, "addresses are no business of a log"


async def test_one_address_that_is_refused_does_not_hold_up_the_others(town: Town, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    town.put(due(Role.EXPERT), due(Role.REVIEWER))
    async with mail_server(tmp_path) as (box, ca):
        box.refuse = {"gone@gov.example": "550 nobody here"}
        to = {"expert": ["gone@gov.example"], "reviewer": ["desk@gov.example"]}
        async with town.operator(mail(box.port, ca, password, to=to)) as made:
            await box.after(1)
            await town.settled("mail", 1)
            assert made.outboxes[0].pending == 1
    assert [to for to, _ in box.mails] == [("desk@gov.example",)]
