"""Which keys there can be, and of what kind their values are: read from the models.

Where sections differ by their `kind`, *values* (what was written, around and below) tells which
one is meant; without it every key that one of them has can be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chatbot.settings.places import tables
from chatbot.settings.values import Keys
from chatbot.settings.whole import Settings

KIND = "kind"


def field_of(keys: Sequence[str | int], values: Any = None) -> FieldInfo | None:
    """The field that holds the value at *keys*: its own, or that of the table around it."""
    field: FieldInfo | None = None
    for n in range(len(keys)):
        for model in _models(kind_of(keys[:n], values)):
            field = model.model_fields.get(str(keys[n]))
            if field is not None:
                break
    return field


def kind_of(keys: Sequence[str | int], values: Any = None) -> Any:
    """The type of the value at *keys*; None where there can be none."""
    kind: Any = Settings
    for key in keys:
        kind = _within(kind, key)
        values = _value_within(values, key)
        kind = _meant(kind, values)
    return kind


def kinds_at(keys: Sequence[str | int]) -> list[str]:
    """What `kind` may be in the section at *keys*; nothing where there is but one."""
    models = _models(kind_of(keys))
    return [_name_of(model) for model in models if KIND in model.model_fields]


def keys_of(keys: Keys, values: Any = None) -> list[str]:
    models = _models(kind_of(keys, values))
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def all_keys(values: Mapping[str, Any], keys: Keys = (), whole: Any = None) -> Iterator[Keys]:
    """Every key there can be, with the names that were given to venues, feeds and traders."""
    whole = values if whole is None else whole
    is_map = get_origin(kind_of(keys, whole)) is dict
    names = keys_of(keys, whole) or (list(tables(values)) if is_map else [])
    for name in names:
        yield (*keys, name)
        inner = values.get(name)
        yield from all_keys(inner if isinstance(inner, dict) else {}, (*keys, name), whole)


def _within(kind: Any, key: str | int) -> Any:
    models = _models(kind)
    if models:
        fields = (model.model_fields.get(str(key)) for model in models)
        field = next((field for field in fields if field is not None), None)
        return field.annotation if field else None
    if get_origin(kind) in (dict, tuple):
        return get_args(kind)[1 if get_origin(kind) is dict else 0]
    return None


def _value_within(values: Any, key: str | int) -> Any:
    try:
        return values[key]
    except (KeyError, IndexError, TypeError):
        return None


def _meant(kind: Any, values: Any) -> Any:
    """The one of several sections that *values* names."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    models = _models(kind)
    named = values.get(KIND) if isinstance(values, Mapping) else None
    if len(models) > 1 and named is not None:
        return next((model for model in models if _name_of(model) == named), kind)
    return kind


def _models(kind: Any) -> tuple[type[BaseModel], ...]:
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return tuple(k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel))


def _name_of(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields[KIND].annotation)[0])
