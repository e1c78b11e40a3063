"""The table of CEL rules, put to a server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from door import Server
from rule_cases import Case, Obj, rule_cases


@pytest.fixture
def clean(server: Server) -> Iterator[list[Obj]]:
    """Takes away what a case made."""
    made: list[Obj] = []
    yield made
    for obj in made:
        server.clear(obj)


def put(server: Server, obj: Obj, *, update: bool) -> tuple[int, str]:
    """Write object and status; the first refusal counts."""
    spec = {key: value for key, value in obj.items() if key != "status"}
    answer = server.replace(spec) if update else server.create(spec)
    if answer.code < 300 and "status" in obj:
        answer = server.replace(obj, subresource="status")
    return answer.code, answer.message


@pytest.mark.parametrize("case", rule_cases(), ids=lambda case: case.id)
def test_a_server_says_what_the_table_says(server: Server, clean: list[Obj], case: Case) -> None:
    clean.append(case.new)
    if case.old is not None:
        code, message = put(server, case.old, update=False)
        assert code == 201 or "status" in case.old, message
        assert code < 300, message
    code, message = put(server, case.new, update=case.old is not None)
    if case.message:
        assert code == 422, message
        assert case.message in message
    else:
        assert code < 300, message
