"""Objects that take less memory: what is the same in many of them is there once.

An operator holds tens of thousands of objects for years. Of a request in service nearly half the memory is
sets of the names of fields that were given, one for each of its parts, and most texts are a catalogue's.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)
TEXTS = 20_000
"""Texts that are kept to be shared; what makes them more are names and UIDs, which are in few objects."""
LONGEST = 1024
"""Characters of a text that is worth looking up."""
_given: dict[frozenset[str], set[str]] = {}
_texts: dict[str, str] = {}


def lean(model: M) -> M:
    """The model itself, its parts sharing field sets and texts with those of others.

    Nothing may write to a model after that, which frozen ones are safe from; it equals what it was.
    """
    if len(_texts) > TEXTS:
        _texts.clear()
    _share(model)
    return model


def _share(model: BaseModel) -> None:
    given = model.__pydantic_fields_set__
    object.__setattr__(model, "__pydantic_fields_set__", _given.setdefault(frozenset(given), given))
    fields = model.__dict__
    for name, value in fields.items():
        if type(value) is str:
            if len(value) <= LONGEST:
                fields[name] = _texts.setdefault(value, value)
        elif isinstance(value, BaseModel):
            _share(value)
        elif value and type(value) in (list, tuple):
            for item in value:
                if isinstance(item, BaseModel):
                    _share(item)
