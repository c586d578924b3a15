"""Keys that are not written down twice: taken from the value that a section is made into."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import MISSING, fields
from datetime import timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import Field, create_model

from chatbot.settings.values import Duration, Number, Section, Share, Whole
from trading.risk.allowed import Allowed

Model = TypeVar("Model", bound=Section)

READ_AS: dict[type, Any] = {int: Whole, Decimal: Number, timedelta: Duration}
"""How a key of that type is written in the file."""


def keys_of(value: type) -> Callable[[type[Model]], type[Model]]:
    """Give a section the fields of the frozen *value* that it does not declare itself.

    Each says what is usual, and in its annotation what is `Allowed`: a limit is added there alone.
    """

    def with_keys(section: type[Model]) -> type[Model]:
        keys: dict[str, Any] = dict(_keys(value, set(section.model_fields)))
        return create_model(
            section.__name__, __base__=section, __module__=section.__module__,
            __doc__=section.__doc__, **keys,
        )  # fmt: skip

    return with_keys


def _keys(value: type, declared: Collection[str]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    hints = get_type_hints(value, include_extras=True)
    for field in fields(value):
        if field.name in declared:
            continue
        usual = ... if field.default is MISSING else field.default
        hint = hints[field.name]
        allowed = next(
            (a for a in getattr(hint, "__metadata__", ()) if isinstance(a, Allowed)), None
        )
        if allowed is None:
            yield field.name, (hint, usual)
        else:
            yield field.name, (_read_as(hint.__origin__, allowed), Field(usual, **_bounds(allowed)))


def _read_as(kind: Any, allowed: Allowed) -> Any:
    """*kind*: as in `Decimal`, or `Decimal | None`."""
    plain = next(part for part in (get_args(kind) or (kind,)) if part is not NoneType)
    read = Share if allowed.share else READ_AS[plain]
    return read | None if plain is not kind else read


def _bounds(allowed: Allowed) -> dict[str, Any]:
    bounds = {"gt": allowed.gt, "ge": allowed.ge, "le": allowed.le}
    return {name: bound for name, bound in bounds.items() if bound is not None}
