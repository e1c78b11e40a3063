"""The printable page shows what the certificate says, escapes it, and never passes a draft off as final."""

from __future__ import annotations

from html.parser import HTMLParser

from govpool.api.wipecertificate import WipeCertificateSpec
from govpool.effects.certificate_page import render_page
from govpool.effects.signing import generate_private_key
from govpool.rules.certificate import certificate_hash

from .certificate_examples import chain, document


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(certificate: WipeCertificateSpec) -> Text:
    page = Text()
    page.feed(render_page(certificate))
    return page


def test_the_page_shows_what_was_signed() -> None:
    one = chain(2, generate_private_key())[1]
    page = read(one)
    assert one.signature is not None
    said = (
        one.number,
        one.system.unit,
        one.system.name,
        one.regulation.title.zh,
        one.regulation.title.en,
        "第 21(2) 条",
        one.previous_hash,
        one.signature.value,
        one.signature.fingerprint,
        certificate_hash(one),
        "全盘回读",
        "zhao.security",
        "2026-03-03 20:00",
    )
    for word in said:
        assert word in page.text
    assert "DRAFT" not in page.text and "svg" in page.tags


def test_an_unsigned_or_incomplete_certificate_is_a_draft() -> None:
    for draft in (document(), {**document(), "media": [], "confirmation": None}):
        page = read(WipeCertificateSpec.model_validate(draft))
        assert "DRAFT" in page.text and "not signed" in page.text
        assert "svg" not in page.tags


def test_what_people_wrote_is_shown_and_never_run() -> None:
    draft = document()
    draft["validatedBy"]["statement"] = "<script>alert(1)</script>"
    draft["media"][0]["residualRisk"] = "<img src=x>"
    page = read(WipeCertificateSpec.model_validate(draft))
    assert "<script>alert(1)</script>" in page.text and "<img src=x>" in page.text
    assert not {"script", "img"} & set(page.tags)


def test_the_page_needs_nothing_from_outside() -> None:
    html = render_page(WipeCertificateSpec.model_validate(document()))
    assert read(WipeCertificateSpec.model_validate(document())).links == []
    assert "http" not in html and "url(" not in html and "@import" not in html
