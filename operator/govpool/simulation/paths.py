"""Values of an object by their path on the wire: ``status.conditions.0.type``."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from functools import cache

from pydantic import BaseModel, JsonValue


def value_at(thing: object, path: str) -> JsonValue:
    """What JSON has at the path; None where there is nothing. ``type=Closed``: the element of that type."""
    for step in path.split("."):
        if isinstance(thing, BaseModel):
            name = _fields(type(thing)).get(step)
            thing = getattr(thing, name) if name is not None else None
        elif isinstance(thing, dict):
            thing = thing.get(step)
        elif isinstance(thing, list | tuple):
            field, equals, wanted = step.partition("=")
            if equals:
                thing = next((one for one in thing if value_at(one, field) == wanted), None)
                continue
            place = int(step) if step.lstrip("-").isdigit() else None
            thing = thing[place] if place is not None and -len(thing) <= place < len(thing) else None
        else:
            return None
    return plain(thing)


def plain(thing: object) -> JsonValue:
    """The value as JSON has it."""
    if isinstance(thing, BaseModel):
        found: JsonValue = thing.model_dump(mode="json", by_alias=True, exclude_none=True)
        return found
    if isinstance(thing, list | tuple):
        return [plain(item) for item in thing]
    if isinstance(thing, dict):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, Enum):
        return str(thing.value)
    if isinstance(thing, datetime | date):
        return thing.isoformat().replace("+00:00", "Z")
    return thing if isinstance(thing, str | int | float | bool) else None


def looks_so(thing: object, where: dict[str, JsonValue]) -> bool:
    """Whether the object has all these values; null: has not."""
    return all(value_at(thing, path) == value for path, value in where.items())


@cache
def _fields(model: type[BaseModel]) -> dict[str, str]:
    return {(info.alias or name): name for name, info in model.model_fields.items()}
