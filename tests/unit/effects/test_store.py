"""The store: the newest version of what is there, and nothing of what is gone."""

from __future__ import annotations

from effects_ground import UID, order_of, server_of, versioned

from govpool.api.base import REQUEST_LABEL, SETTLED_LABEL
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects.store import REMEMBERED, Store


def names(store: Store, uid: str = UID) -> list[str]:
    return [s.metadata.name for s in store.made_for(CloudServer, uid)]


def test_an_older_version_never_overwrites_a_newer_one() -> None:
    store, server = Store(), server_of()
    assert store.put(versioned(server, 10))
    assert not store.put(versioned(server, 10)), "the same version is no news"
    assert not store.put(versioned(server, 9)), "versions are numbers: 9 is before 10"
    assert store.put(versioned(server, 11))
    found = store.get(CloudServer, server.metadata.name, server.metadata.namespace)
    assert found is not None and found.metadata.resource_version == "11"


def test_a_namesake_replaces_and_is_not_replaced_by_what_was_before_it() -> None:
    store, server = Store(), server_of()
    store.put(versioned(server, 5, "old"))
    assert store.put(versioned(server, 8, "new"))
    assert not store.put(versioned(server, 6, "old")), "an event of the old one that was late"
    store.drop(versioned(server, 7, "old"))
    found = store.find(server.key)
    assert found is not None and found.metadata.uid == "new"


def test_what_is_gone_does_not_come_back_with_a_late_answer() -> None:
    store, server = Store(), server_of()
    store.put(versioned(server, 5))
    store.drop(versioned(server, 7))
    assert not store.put(versioned(server, 6)), "the answer to a write that came before the deletion"
    assert store.find(server.key) is None
    assert names(store) == []


def test_a_deletion_seen_before_the_object_was_known_counts() -> None:
    store, server = Store(), server_of()
    store.drop(versioned(server, 7))
    assert not store.put(versioned(server, 6))
    assert len(store) == 0


def test_what_was_settled_comes_back_when_somebody_takes_the_label_off() -> None:
    store, order = Store(), order_of()
    settled = versioned(order, 7, labels={**order.metadata.labels, SETTLED_LABEL: "true"})
    store.put(versioned(order, 5))
    store.drop(settled)
    assert not store.put(versioned(order, 6))
    assert store.put(versioned(order, 8))


def test_objects_are_found_by_the_request_they_were_made_for() -> None:
    store = Store()
    for number in (2, 0, 1):
        store.put(versioned(server_of(f"s-{number}"), number + 1, f"u{number}"))
    store.put(versioned(server_of("other", uid="another"), 9, "u9"))
    store.put(versioned(order_of(), 4, "w"))
    assert names(store) == ["s-0", "s-1", "s-2"]
    assert len(store.made_for(WorkOrder, UID)) == 1
    moved = server_of("s-1")
    store.put(versioned(moved, 20, "u1", labels={REQUEST_LABEL: "another"}))
    assert names(store) == ["s-0", "s-2"]
    assert names(store, "another") == ["other", "s-1"]


def test_they_are_found_as_they_are_now() -> None:
    store, server = Store(), server_of()
    assert store.made_for(CloudServer, UID) == ()
    newest, other = versioned(server, 2), versioned(server_of("doc-approval-db-0"), 3, "other")
    for known, found in ((versioned(server, 1), 1), (newest, 1), (other, 2)):
        store.put(known)
        made = store.made_for(CloudServer, UID)
        assert made is store.made_for(CloudServer, UID) and len(made) == found
        assert any(one is known for one in made)
    store.drop(versioned(other, 4, "other"))
    assert store.made_for(CloudServer, UID) == (newest,)
    store.put(versioned(server, 5, labels={}))
    assert store.made_for(CloudServer, UID) == ()
    store.put(versioned(server, 6))
    store.forget()
    assert store.made_for(CloudServer, UID) == ()


def test_a_request_that_has_nothing_left_leaves_no_trace() -> None:
    store = Store()
    for number in range(50):
        one = versioned(server_of("s", uid=f"request-{number}"), number + 1, f"u{number}")
        store.put(one)
        assert store.made_for(CloudServer, f"request-{number}") == (one,)
        store.drop(one)
    assert not store._by_request and not store._made


def test_memory_of_what_is_gone_is_bounded() -> None:
    store = Store()
    for number in range(REMEMBERED + 10):
        store.drop(versioned(server_of(), number + 1, f"u{number}"))
    assert len(store._gone) == REMEMBERED
    assert not store.put(versioned(server_of(), REMEMBERED, f"u{REMEMBERED + 9}")), "the last gone is known"


def test_what_a_list_does_not_hold_was_deleted_unless_it_is_younger_than_the_list() -> None:
    store = Store()
    store.put(versioned(server_of("kept"), 3, "kept"))
    store.put(versioned(server_of("gone"), 4, "gone"))
    store.put(versioned(server_of("young"), 12, "young"))
    store.put(versioned(order_of(), 2, "order"))
    assert [s.metadata.name for s in store.unlisted(CloudServer, {"kept"}, "10")] == ["gone"]
    assert store.unlisted(CloudServer, set(), "") == (), "a list without a version proves nothing"


def test_knows_tells_echoes_from_news() -> None:
    store, server = Store(), server_of()
    store.put(versioned(server, 5))
    assert store.knows(server.key, "u1", "5") and store.knows(server.key, "u1", "4")
    assert not store.knows(server.key, "u1", "6") and not store.knows(server.key, "u2", "4")
    store.drop(versioned(server, 7))
    assert store.knows(server.key, "u1", "6")
