"""What a revision is, and what it changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_support import Obj, content, documents, group, request

from govpool.api.approval import ChangedValue
from govpool.rules.revision import MAX_CHANGES, changes, content_hash, content_of, submission_hash

CONFIRMED = {"confirmations": {"delivery": {"by": "liu", "at": "2026-12-22T09:00:00Z"}}}


def lines(before: Obj, after: Obj) -> list[tuple[str, str, str]]:
    return [(one.field, one.before, one.after) for one in changes(content(before), content(after))]


def test_content_is_what_was_applied_for_and_nothing_said_along_the_way() -> None:
    assert content_of(request(CONFIRMED).spec) == content_of(request().spec)
    assert submission_hash(request(CONFIRMED).spec) == submission_hash(request().spec)


def test_papers_are_submitted_and_are_no_content() -> None:
    assert content_of(request({"materials": []}).spec) == content_of(request().spec)
    assert submission_hash(request({"materials": []}).spec) != submission_hash(request().spec)


@pytest.mark.parametrize(
    "patch",
    [
        {"system": {"protectionLevel": 3}},
        {"servers": [group()]},
        {"services": [{"item": "sec-waf"}]},
        {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}},
        {"administrators": [{"name": "eve", "sshPublicKeys": ["ssh-ed25519 AAAA"]}]},
        {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}},
    ],
)
def test_every_edit_of_content_is_another_revision(patch: Obj) -> None:
    assert content_hash(content(patch)) != content_hash(content())
    assert changes(content(), content(patch))


def test_the_hash_is_of_the_canonical_form() -> None:
    assert content_hash(content()) == content_hash(
        type(content()).model_validate(content().model_dump(mode="json", by_alias=True))
    )
    assert len(content_hash(content())) == 64


def test_nothing_in_force_nothing_changed() -> None:
    assert changes(None, content()) == []
    assert changes(content(), content()) == []


def test_the_example_change_in_lines() -> None:
    patch = documents("examples/04-change.yaml")[0]["spec"]
    assert lines({}, patch) == [
        ("servers[app].count", "1", "2"),
        ("servers[db].item", "ecs-1c1g", "ecs-1c2g"),
    ]


def test_what_comes_and_goes_is_one_line() -> None:
    before, after = {"servers": [group("app")]}, {"servers": [group("web")]}
    first, second = lines(before, after)
    assert (first[0], first[2], second[0], second[1]) == ("servers[app]", "", "servers[web]", "")
    assert '"count": 1' in first[1]
    assert '"item": "ecs-1c1g"' in second[2]


def test_an_order_is_no_change() -> None:
    one, other = group("app"), group("db")
    assert lines({"servers": [one, other]}, {"servers": [other, one]}) == []


def test_things_of_one_name_are_all_compared() -> None:
    before = {"services": [{"item": "sec-waf", "quantity": 1}, {"item": "sec-waf", "quantity": 2}]}
    after = {"services": [{"item": "sec-waf", "quantity": 5}, {"item": "sec-waf", "quantity": 2}]}
    assert lines(before, after) == [("services[sec-waf].quantity", "1", "5")]


def test_expansions_are_named_by_server_and_first_day() -> None:
    one = {"server": "app", "additionalCount": 2, "starts": "2026-12-01", "ends": "2026-12-31"}
    found = lines({"term": {"temporary": [one]}}, {"term": {"temporary": [one | {"ends": "2027-01-31"}]}})
    assert found == [("term.temporary[app@2026-12-01].ends", "2026-12-31", "2027-01-31")]


def test_long_values_and_many_lines_are_cut_and_told() -> None:
    purpose = "长" * 1000
    (line,) = lines({}, {"system": {"purpose": purpose}})
    assert (len(line[2]), line[2][-1]) == (256, "…")
    before = {"servers": [group(f"g{n}", item="ecs-1c1g") for n in range(32)]}
    after = {"servers": [group(f"g{n}", 2, "ecs-2c4g", 2, image="debian-13") for n in range(32)]}
    many = changes(content(before), content(after))
    assert len(many) == MAX_CHANGES
    after["servers"][0]["dataDisks"].append({"name": "more", "sizeGiB": 1})
    many = changes(content(before), content(after))
    assert len(many) == MAX_CHANGES
    assert many[-1] == ChangedValue(field="...", after="+2")


@given(st.integers(0, 20), st.integers(0, 20))
def test_there_is_a_line_exactly_if_the_hash_differs(before: int, after: int) -> None:
    one, other = content({"servers": [group(count=before)]}), content({"servers": [group(count=after)]})
    assert bool(changes(one, other)) is (content_hash(one) != content_hash(other))
