"""Who gets a copy of what was enforced (抄送, YY-22(4), BZ-38) gets it, once, with its article."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from govpool.api.approval import RequestReference
from govpool.api.base import ObjectMeta
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.finding import TextInBoth
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import (
    EnforcementGround,
    EnforcementTaken,
    NoticeState,
    NoticeWords,
    RectificationNotice,
    RectificationNoticeSpec,
    RectificationNoticeStatus,
)
from tests.functional.observability.notified import NOW, UNIT, Town, idle, webhook
from tests.functional.observability.receivers import PASSWORD, Receiver, mail_server
from tests.functional.observability.test_mail import mail

FINANCE, AUDIT = "市财政局", "市审计局"


def stopped(of: CloudResourceRequest, *copies: str) -> RectificationNotice:
    """A notice on which issuing was stopped."""
    taken = EnforcementTaken(
        action=Enforcement.STOP_ISSUING,
        ground=EnforcementGround.DECISION,
        by="reviewer",
        since=NOW + timedelta(days=40),
        article="YY-22(4)",
    )
    words = NoticeWords(
        detail=TextInBoth(en="Memory is hardly used.", zh="内存使用率偏低。"),
        demand=TextInBoth(en="Reduce.", zh="请核减。"),
    )
    return RectificationNotice(
        metadata=ObjectMeta(name="notice-1", namespace=UNIT, uid="uid-notice", resource_version="5"),
        spec=RectificationNoticeSpec(
            request=RequestReference(name=of.metadata.name, uid=of.metadata.uid),
            policy="yiyang-2025",
            finding=NoticeFinding.REDUCE,
            detail=words.detail.en,
            demand=words.demand.en,
            words=words,
            issued=NOW,
            issued_by="govpool",
        ),
        status=RectificationNoticeStatus(
            state=NoticeState.ENFORCED, enforcement=[taken], article="YY-22(4)", copies=list(copies)
        ),
    )


async def test_yy_22_4_finance_and_audit_get_a_copy_each_with_the_article_and_once(
    town: Town, hook: Receiver
) -> None:
    notice = stopped(town.put(), FINANCE, AUDIT)
    town.store.put(notice)
    # Roles choose who must act; a copy goes to whom the regulation names.
    channel = webhook(hook.url, topics=["Copy"], roles=["expert"], language="zh")
    async with town.operator(channel) as first:
        first.touched(notice)
        await hook.after(2)
        await town.settled("hook", 2)
    async with town.operator(channel) as second:
        second.touched(notice)
        await idle(second)
    posts = [post.json for post in hook.posts]
    assert sorted(post["copyTo"] for post in posts) == sorted([FINANCE, AUDIT])
    for post in posts:
        assert (post["type"], post["article"]) == ("govpool.Copy", "YY-22(4)")
        assert post["copyTo"] in post["text"] and "内存使用率偏低" in post["text"]
        assert "停止发放" in post["text"]


async def test_bz_38_a_copy_goes_by_mail_to_who_is_behind_the_name_and_one_that_nobody_is_behind_is_said(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    notice = stopped(town.put(), FINANCE, AUDIT)
    town.store.put(notice)
    caplog.set_level(logging.WARNING)
    async with mail_server(tmp_path) as (box, ca):
        channel = mail(box.port, ca, password, copies={FINANCE: ["budget@finance.example"]})
        async with town.operator(channel) as made:
            made.touched(notice)
            await box.after(1)
            await town.settled("mail", 1)
            made.touched(notice)
            await idle(made)
    ((to, letter),) = box.mails
    assert to == ("budget@finance.example",)
    assert "YY-22(4)" in letter.get_content() and FINANCE in letter.get_content()
    said = [record.getMessage() for record in caplog.records if AUDIT in record.getMessage()]
    assert len(said) == 1 and "copies" in said[0]
