"""People are told, once each, whatever becomes of the servers that their messages go through."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.policy_roles import Role
from govpool.effects.notify import http, outbox
from govpool.effects.secrets import once
from tests.functional.observability.notified import KEY, UNIT, Town, due, idle, webhook, wecom
from tests.functional.observability.receivers import Receiver, receiver


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
        async with asyncio.timeout(120):
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
    assert again.headers["webhook-id"] == hook.posts[0].headers["webhook-id"]
    # Not their number: on a busy machine the quick one may be late for once, too.
    assert len({post.headers["webhook-id"] for post in quick.posts}) == 1


async def test_what_is_refused_is_told_in_the_log_without_any_secret(
    town: Town, hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    town.put(due())
    hook.answer = lambda _: (200, {"errcode": 93000, "errmsg": "invalid webhook url robot-key-4711"})
    async with town.operator(wecom(tmp_path, hook.url), webhook(hook.url + "/secret-path")) as made:
        await hook.after(4)
        async with asyncio.timeout(120):
            while await town.record("group"):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert made.outboxes[0].pending == 1, "what was refused was not told"
    assert "channel group rests" in caplog.text and "errcode 93000" in caplog.text
    assert "4711" not in caplog.text and KEY not in caplog.text and "secret-path" not in caplog.text


async def test_a_secret_that_is_missing_is_waited_for(town: Town, hook: Receiver) -> None:
    town.put(due())
    channel = webhook(hook.url) | {"secret": {"secretRef": {"name": "later", "key": "secret"}}}
    async with town.operator(channel) as made:
        async with asyncio.timeout(120):
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


# -- Events --------------------------------------------------------------------------------------
async def test_an_event_is_posted_on_the_object_itself(town: Town) -> None:
    town.put(due())
    async with town.operator({"name": "events", "type": "events", "language": "en"}):
        await town.settled("events", 1)
    found = await town.kube.get_path(f"/apis/events.k8s.io/v1/namespaces/{UNIT}/events")
    (event,) = found["items"]  # type: ignore[misc]
    assert event["reason"] == "ToldDue" and event["type"] == "Normal"  # type: ignore[index, call-overload]
    assert "Who must act: reviewer" in event["note"]  # type: ignore[index, operator, call-overload]
