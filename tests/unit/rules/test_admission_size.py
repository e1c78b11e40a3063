"""A request carries what its status and work orders can name."""

from __future__ import annotations

import pytest

from govpool.api.cloudresourcerequest import RequestContent
from govpool.rules.admission_content import MOST_SERVERS, _many


def content(*counts: int) -> RequestContent:
    servers = [{"name": f"g{i}", "count": n, "item": "a", "image": "b"} for i, n in enumerate(counts)]
    return RequestContent.model_validate(
        {
            "system": {"name": "s", "purpose": "p", "protectionLevel": 2, "network": "Internet"},
            "pool": "p",
            "servers": servers,
            "administrators": [],
        }
    )


@pytest.mark.parametrize(
    ("counts", "refused"), [((100, 100, 100, 100), False), ((100, 100, 100, 100, 1), True)]
)
def test_a_request_carries_at_most_four_hundred_servers(counts: tuple[int, ...], refused: bool) -> None:
    found = [refusal.reason for refusal in _many(content(*counts))]
    assert found == (["TooManyServers"] if refused else [])
    assert MOST_SERVERS == 400
