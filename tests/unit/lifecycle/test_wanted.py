"""From an approved content to servers: ordinals, growth, reduction, and disks that never shrink."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifecycle_builders import LEAVES, catalog, gone, handed_over, leaving, opened, planned, request, revision
from lifecycle_builders import servers as example_servers
from rules_support import group

from govpool.api.cloudserver import CloudServer
from govpool.lifecycle.wanted import Plan, held

FILES = {"dataDisks": [{"name": "files", "sizeGiB": 1, "volumeClass": "evs-standard"}]}


def apps(count: int, *, item: str = "ecs-1c1g", number: int = 2, there=(), **more) -> Plan:
    of = request({"servers": [group("app", count, item, **(FILES | more)), group("db", 1)]})
    return planned(of, revision(of, number=number), there)


def names(servers) -> list[str]:
    return [server.metadata.name for server in servers]


def grown(count: int) -> list[CloudServer]:
    return [handed_over(server) for server in apps(count, number=1).wanted]


# -- ordinals ------------------------------------------------------------------------------------
def test_servers_are_numbered_from_nought_in_the_order_of_the_form() -> None:
    assert names(apps(2).wanted) == ["doc-approval-app-0", "doc-approval-app-1", "doc-approval-db-0"]


def test_yy_20_growth_keeps_what_is_there() -> None:
    there = grown(1)
    plan = apps(3, there=there)
    assert names(plan.wanted)[:3] == ["doc-approval-app-0", "doc-approval-app-1", "doc-approval-app-2"]
    assert plan.wanted[0] is there[0]
    assert plan.surplus == ()


def test_yy_20_a_reduction_takes_the_highest_numbers() -> None:
    plan = apps(1, there=grown(3))
    assert names(plan.wanted) == ["doc-approval-app-0", "doc-approval-db-0"]
    assert names(plan.surplus) == ["doc-approval-app-1", "doc-approval-app-2"]


def test_a_number_that_was_given_is_never_given_again() -> None:
    """Its machine's and disks' keys come from it: a new server must not find the old one's disks."""
    first, second, db = grown(2)
    for left in (leaving(second), gone(leaving(second))):
        plan = apps(2, there=[first, left, db])
        assert names(plan.wanted) == ["doc-approval-app-0", "doc-approval-app-2", "doc-approval-db-0"]


def test_what_leaves_is_surplus_until_it_was_seen_gone() -> None:
    first, second, db = grown(2)
    assert names(apps(1, there=[first, leaving(second), db]).surplus) == ["doc-approval-app-1"]
    assert apps(1, there=[first, gone(leaving(second)), db]).surplus == ()


def test_yy_21_2_the_end_of_use_wants_nothing() -> None:
    of = request(LEAVES)
    plan = planned(of, revision(of, number=2), grown(2))
    assert plan.wanted == ()
    assert len(plan.surplus) == 3


def test_servers_of_another_request_are_none_of_this_one() -> None:
    (first, *_) = grown(1)
    other = first.spec.request.model_copy(update={"uid": "another"})
    foreign = first.model_copy(update={"spec": first.spec.model_copy(update={"request": other})})
    assert apps(1, there=[foreign]).surplus == ()


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_any_growth_and_reduction_keeps_keys_apart(counts: list[int]) -> None:
    there: dict[str, CloudServer] = {}
    keys: dict[str, str] = {}
    for number, count in enumerate(counts, start=1):
        plan = apps(count, number=number, there=there.values())
        assert sum(server.spec.group == "app" for server in plan.wanted) == count
        assert not set(names(plan.wanted)) & set(names(plan.surplus))
        for server in plan.wanted:
            assert keys.setdefault(server.spec.key, server.metadata.name) == server.metadata.name
        there |= {s.metadata.name: opened(s) for s in plan.wanted}
        there |= {s.metadata.name: leaving(s, number=number) for s in plan.surplus}


# -- sizes and disks -----------------------------------------------------------------------------
def test_an_unchanged_server_keeps_its_revision() -> None:
    """A change elsewhere in the request is no change of this server."""
    there = grown(1)
    db = next(s for s in apps(2, there=there).wanted if s.spec.group == "db")
    assert db.spec.revision == 1


def test_yy_20_a_larger_item_changes_size_and_keeps_everything_else() -> None:
    before = grown(1)[0]
    after = apps(1, item="ecs-1c2g", there=grown(1)).wanted[0]
    assert (after.spec.vcpu, after.spec.memory_gib, after.spec.revision) == (1, 2, 2)
    assert after.spec.key == before.spec.key
    assert after.spec.disks == before.spec.disks


def test_the_root_disk_comes_first_and_once() -> None:
    for server in apps(2).wanted:
        assert [disk.root for disk in server.spec.disks] == [True, False]


@pytest.mark.parametrize(("before", "after", "stays"), [(1, 3, 3), (3, 1, 3), (2, 2, 2)])
def test_a_disk_never_shrinks(before: int, after: int, stays: int) -> None:
    def disk(gib: int) -> list[dict]:
        return [{"name": "files", "sizeGiB": gib, "volumeClass": "evs-standard"}]

    there = [handed_over(s) for s in apps(1, number=1, dataDisks=disk(before)).wanted]
    plan = apps(1, dataDisks=disk(after), there=there)
    assert plan.wanted[0].spec.disks[1].size_gib == stays


def test_a_disk_that_is_not_asked_for_any_more_stays_until_its_server_leaves() -> None:
    there = grown(1)
    after = apps(1, dataDisks=[], there=there).wanted[0]
    assert [disk.name for disk in after.spec.disks] == ["root", "files"]


def test_an_item_that_the_catalogue_lost_shrinks_nothing() -> None:
    of = request({"servers": [group("app", 1, "ecs-1c1g")]})
    lost = catalog().model_copy(update={"spec": catalog().spec.model_copy(update={"items": []})})
    from govpool.lifecycle.wanted import plan as plan_of

    with pytest.raises(LookupError, match="no such server item"):
        plan_of(of, revision(of), lost, (), "YY-20", of.metadata.creation_timestamp.date())


# -- what they take ------------------------------------------------------------------------------
def test_what_is_larger_counts_while_a_size_changes() -> None:
    app, _ = example_servers()
    assert app.status is None
    shrinking = opened(app, vcpu=4, memory_gib=8)
    assert (held([shrinking]).vcpu, held([shrinking]).memory_gib) == (4, 8)
    growing = opened(apps(1, item="ecs-4c8g").wanted[0], vcpu=1, memory_gib=1)
    assert (held([growing]).vcpu, held([growing]).memory_gib) == (4, 8)


def test_what_was_seen_gone_takes_nothing() -> None:
    assert held([gone(leaving(server)) for server in example_servers()]).servers == 0
    assert held([leaving(server) for server in example_servers()]).servers == 2
