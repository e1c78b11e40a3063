"""People are told, once each, whatever becomes of the servers that their messages go through."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import yaml

from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus, Deadline
from govpool.api.policy_roles import Role
from govpool.api.tenantquota import TenantQuota
from govpool.effects.clock import SystemClock
from govpool.effects.kube import Kube
from govpool.effects.notify import http, outbox
from govpool.effects.notify.config import NotifyConfig
from govpool.effects.notify.notifier import Notifier
from govpool.effects.secrets import NAMESPACE, once
from govpool.effects.store import Store
from tests.functional.observability.receivers import PASSWORD, Receiver, mail_server, receiver

ROOT = Path(__file__).parents[3]
UNIT = "heshan-data-bureau"
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
KEY = "whsec_" + base64.b64encode(b"the secret of the hook, 32 bytes").decode()


class Town:
    """A request and its unit, as an operator's store holds them; each notifier is an operator's."""

    def __init__(self, kube: Kube) -> None:
        self.kube, self.store = kube, Store()
        self.version = 1
        unit = next(d for d in documents("examples/02-unit.yaml") if d["kind"] == "TenantQuota")
        unit["metadata"] |= {"uid": "unit", "resourceVersion": "1"}
        self.store.put(TenantQuota.model_validate(unit))

    def put(self, *due: Deadline, name: str = "doc-approval") -> CloudResourceRequest:
        (document,) = documents("examples/03-request.yaml")
        self.version += 1
        document["metadata"] |= {
            "name": name,
            "namespace": UNIT,
            "uid": f"uid-{name}",
            "resourceVersion": str(self.version),
        }
        made = CloudResourceRequest.model_validate(document)
        made = made.model_copy(update={"status": CloudResourceRequestStatus(deadlines=list(due))})
        assert self.store.put(made)
        return made

    @contextlib.asynccontextmanager
    async def operator(self, *channels: dict[str, Any]) -> AsyncIterator[Notifier]:
        """One operator's life; it ends as by a kill: nothing is done at the end."""
        made = Notifier(
            NotifyConfig.model_validate({"channels": channels}), self.kube, self.store, SystemClock()
        )
        for request in self.store.all(CloudResourceRequest):
            made.touched(request)
        running = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def record(self, channel: str) -> dict[str, str]:
        found = await self.kube.core_get("configmaps", NAMESPACE, f"notifications-{channel}")
        return dict(found["data"]) if found else {}  # type: ignore[arg-type]

    async def settled(self, channel: str, count: int) -> None:
        """Until so much is on record as told."""
        async with asyncio.timeout(30):
            while sum(entry.startswith("t") for entry in (await self.record(channel)).values()) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def documents(name: str) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all((ROOT / name).read_text()) if found]


def due(who: Role = Role.REVIEWER, days: int = 3, what: str = "Review doc-approval-r1") -> Deadline:
    at = NOW + timedelta(days=days)
    return Deadline(what=what, stage=Stage.REVIEW, who=who, since=NOW, due=at, article="YY-14(2)")


async def idle(made: Notifier) -> None:
    """Until the notifier has looked at everything and has nothing left to tell."""
    async with asyncio.timeout(30):
        while made._dirty or any(box.pending for box in made.outboxes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def town(kube: Kube) -> Town:
    await once(kube, "hook", lambda: {"secret": KEY, "url": "unused"})
    return Town(kube)


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


def webhook(url: str, **more: Any) -> dict[str, Any]:
    secret = {"secretRef": {"name": "hook", "key": "secret"}}
    return {"name": "hook", "type": "webhook", "language": "en", "url": url, "secret": secret, **more}


def wecom(tmp_path: Path, url: str, name: str = "group", **more: Any) -> dict[str, Any]:
    """The URL of a robot is its secret."""
    place = tmp_path / f"{name}-url"
    place.write_text(f"{url}/cgi-bin/webhook/send?key=robot-key-4711\n")
    return {"name": name, "type": "wecom", "urlFrom": {"file": str(place)}, **more}


# -- once each -----------------------------------------------------------------------------------
async def test_a_signed_webhook_tells_once_and_not_again_after_a_restart(town: Town, hook: Receiver) -> None:
    town.put(due())
    async with town.operator(webhook(f"{hook.url}/in")):
        post = await hook.after(1)
        await town.settled("hook", 1)
    async with town.operator(webhook(f"{hook.url}/in")) as second:
        await idle(second)
        town.put(due(), due(Role.UNIT))
        second.touched(town.store.all(CloudResourceRequest)[0])
        other = await hook.after(2)
        await town.settled("hook", 2)
    assert len(hook.posts) == 2 and other.json["to"] == "unit"
    assert post.json["type"] == "govpool.Due" and post.json["article"] == "YY-14(2)"
    assert post.json["due"] == "2026-11-26T01:00:00+00:00" and post.json["unit"] == "益阳市赫山区数据局"
    assert "Who must act: reviewer" in post.json["text"] and "2026-11-26 09:00" in post.json["text"]
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    wanted = hmac.digest(b"the secret of the hook, 32 bytes", signed, hashlib.sha256)
    assert post.headers["webhook-signature"] == "v1," + base64.b64encode(wanted).decode()
    record = json.dumps(await town.record("hook"))
    assert "Review" not in record and "YY" not in record and post.json["id"] in record


async def test_a_message_that_may_have_gone_out_is_repeated_under_its_id(town: Town, hook: Receiver) -> None:
    town.put(due())
    hook.free.clear()
    async with town.operator(webhook(hook.url)):
        first = await hook.after(1)
    assert [entry[0] for entry in (await town.record("hook")).values()] == ["s"]
    hook.free.set()
    async with town.operator(webhook(hook.url)):
        second = await hook.after(2)
        await town.settled("hook", 1)
    assert second.headers["webhook-id"] == first.headers["webhook-id"] and second.body == first.body


async def test_a_chat_is_not_told_twice_after_a_kill(
    town: Town, hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    town.put(due())
    hook.free.clear()
    async with town.operator(wecom(tmp_path, hook.url)):
        await hook.after(1)
    hook.free.set()
    async with town.operator(wecom(tmp_path, hook.url)) as second:
        await idle(second)
    assert len(hook.posts) == 1 and "1 messages may have gone out and are not sent again" in caplog.text


async def test_what_was_done_before_it_could_be_told_is_not_told(town: Town, hook: Receiver) -> None:
    town.put(due())
    hook.answer = lambda post: (503 if post.json["to"] == "reviewer" else 200, {})
    async with town.operator(webhook(hook.url)) as made:
        await hook.after(1)
        made.touched(town.put())
        await idle(made)
        for count, role in enumerate((Role.UNIT, Role.EXPERT, Role.ACCEPTOR), start=1):
            made.touched(town.put(due(role)))
            await town.settled("hook", count)
    # What was on its way goes first; nothing of it comes after what is told next.
    assert [post.json["to"] for post in hook.posts[-3:]] == ["unit", "expert", "acceptor"]


# -- receivers that do not take it ---------------------------------------------------------------
async def test_a_receiver_that_fails_or_is_away_is_tried_again(town: Town) -> None:
    town.put(due())
    async with receiver() as hook:
        port = int(hook.url.rpartition(":")[2])
    async with town.operator(webhook(f"http://127.0.0.1:{port}")) as made:
        async with asyncio.timeout(30):
            while not made.outboxes[0].pending:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        answers = [500, 502, 429, 200]
        async with receiver(port) as hook:
            hook.answer = lambda _: (answers.pop(0), {})
            last = await hook.after(4)
            await town.settled("hook", 1)
    assert {post.headers["webhook-id"] for post in hook.posts} == {last.headers["webhook-id"]}


async def test_a_slow_channel_holds_up_no_other(
    town: Town, hook: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT", 0.3)
    hook.free.clear()
    town.put(due())
    async with (
        receiver() as quick,
        town.operator(webhook(hook.url), webhook(quick.url) | {"name": "quick"}),
    ):
        await quick.after(1)
        await town.settled("quick", 1)
        again = await hook.after(2)  # no whole answer in time: nobody knows, and the id is the same
        hook.free.set()
        await town.settled("hook", 1)
    assert again.headers["webhook-id"] == hook.posts[0].headers["webhook-id"] and len(quick.posts) == 1


async def test_what_is_refused_is_told_in_the_log_without_any_secret(
    town: Town, hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    town.put(due())
    hook.answer = lambda _: (200, {"errcode": 93000, "errmsg": "invalid webhook url robot-key-4711"})
    async with town.operator(wecom(tmp_path, hook.url), webhook(hook.url + "/secret-path")) as made:
        await hook.after(4)
        async with asyncio.timeout(30):
            while await town.record("group"):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert made.outboxes[0].pending == 1, "what was refused was not told"
    assert "channel group rests" in caplog.text and "errcode 93000" in caplog.text
    assert "4711" not in caplog.text and KEY not in caplog.text and "secret-path" not in caplog.text


async def test_a_secret_that_is_missing_is_waited_for(town: Town, hook: Receiver) -> None:
    town.put(due())
    channel = webhook(hook.url) | {"secret": {"secretRef": {"name": "later", "key": "secret"}}}
    async with town.operator(channel) as made:
        async with asyncio.timeout(30):
            while not made.outboxes[0].pending:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await once(town.kube, "later", lambda: {"secret": "plain"})
        post = await hook.after(1)
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    wanted = base64.b64encode(hmac.digest(b"plain", signed, hashlib.sha256)).decode()
    assert post.headers["webhook-signature"] == f"v1,{wanted}"


# -- chats ---------------------------------------------------------------------------------------
async def test_wecom_gets_markdown_of_several_things_at_once(
    town: Town, hook: Receiver, tmp_path: Path
) -> None:
    for number in range(12):
        town.put(due(), name=f"system-{number}")
    async with town.operator(wecom(tmp_path, hook.url)) as made:
        made.outboxes[0].channel.pause = 0.0
        await hook.after(2)
        await town.settled("group", 12)
    assert hook.posts[0].path == "/cgi-bin/webhook/send" and hook.posts[0].query == {"key": "robot-key-4711"}
    for post in hook.posts:
        content = post.json["markdown"]["content"]
        assert post.json["msgtype"] == "markdown" and len(content.encode()) <= 4096
        assert "待办：审核" in content and "办理人：审核人员" in content and "YY-14(2)" in content


async def test_a_robot_that_asks_for_patience_is_given_it(
    town: Town, hook: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(min(seconds, 0.01))

    monkeypatch.setattr(outbox.asyncio, "sleep", sleep)
    town.put(due())
    answers = [{"errcode": 45009}, {"errcode": 0}]
    hook.answer = lambda _: (200, answers.pop(0))
    async with town.operator(wecom(tmp_path, hook.url)):
        await hook.after(2)
        await town.settled("group", 1)
    assert 60.0 in slept, "too many calls a minute: nothing is sent for a minute"


async def test_dingtalk_is_signed_with_its_time(town: Town, hook: Receiver, tmp_path: Path) -> None:
    secret = tmp_path / "dingtalk"
    secret.write_text("SECabc\n")
    town.put(due())
    channel = {
        "name": "ding",
        "type": "dingtalk",
        "url": f"{hook.url}/robot/send?access_token=x",
        "secret": {"file": str(secret)},
    }
    async with town.operator(channel):
        post = await hook.after(1)
    stamp = post.query["timestamp"]
    sign = base64.b64encode(hmac.digest(b"SECabc", f"{stamp}\nSECabc".encode(), hashlib.sha256)).decode()
    assert post.query == {"access_token": "x", "timestamp": stamp, "sign": sign} and len(stamp) == 13
    url = http.dingtalk_signed("https://d.test/send?access_token=x", "SECabc", int(stamp))
    assert url.endswith(f"&timestamp={stamp}&sign={quote_plus(sign)}")
    assert post.json["msgtype"] == "markdown" and post.json["markdown"]["title"].startswith("待办：审核")


# -- mail ----------------------------------------------------------------------------------------
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
            async with asyncio.timeout(30):
                while "are not accepted (535)" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            password.write_text(PASSWORD)
            await box.after(1)
            await town.settled("mail", 1)
        town.put(due(Role.UNIT))
        other = mail(box.port, ca, password) | {"name": "other"}
        del other["caFile"]
        async with town.operator(other) as made:
            async with asyncio.timeout(30):
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


# -- Events --------------------------------------------------------------------------------------
async def test_an_event_is_posted_on_the_object_itself(town: Town) -> None:
    town.put(due())
    async with town.operator({"name": "events", "type": "events", "language": "en"}):
        await town.settled("events", 1)
    found = await town.kube.get_path(f"/apis/events.k8s.io/v1/namespaces/{UNIT}/events")
    (event,) = found["items"]  # type: ignore[misc]
    assert event["reason"] == "ToldDue" and event["type"] == "Normal"  # type: ignore[index, call-overload]
    assert "Who must act: reviewer" in event["note"]  # type: ignore[index, operator, call-overload]
