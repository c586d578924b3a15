"""Frozen values that cost little to make and to change.

A frozen dataclass sets each field of itself through `object.__setattr__`, and `dataclasses.replace`
looks all of them up by name first: 10 to 20 us for an order, several times for each order.
`@fast_frozen` writes an `__init__` and a `__replace__` for the class instead (the method that
Python 3.13 gives to dataclasses) that assign to plain slots: a tenth of that.  All else stays the
dataclass's, `__post_init__` included.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

_UNTOLD: Any = object()
"""Stands for a field that is made afresh when it is not given."""

if TYPE_CHECKING:  # so that names and types of the changes are checked
    from dataclasses import replace as replace  # noqa: PLC0414  # exported from here
else:

    def replace(value: T, /, **changes: Any) -> T:
        """As `dataclasses.replace`, for a value of a class that is `fast_frozen`.

        Raises `AttributeError` for a field that it does not have.
        """
        return value.__replace__(**changes)


def fast_frozen(cls: type[T]) -> type[T]:
    """Make instances of *cls*, a dataclass with frozen, slots and kw_only, quick to make.

    While an object is being filled it belongs to a twin of *cls*: the same slots and bases, not
    frozen.
    """
    every = fields(cls)  # type: ignore[arg-type]  # of dataclasses only, as is said above
    names = [field.name for field in every]
    thawed = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    own = {"__slots__": cls.__dict__["__slots__"], **thawed}
    twin = type(cls.__name__, cls.__bases__, own)
    known: dict[str, Any] = {
        "_cls": cls, "_twin": twin, "_new": object.__new__, "_set": object.__setattr__,
        "_untold": _UNTOLD,
    }  # fmt: skip
    ready = ["self.__class__ = _cls"]
    if hasattr(cls, "__post_init__"):
        ready.append("self.__post_init__()")
    made = {
        "__init__": _function(
            "__init__",
            ["self", "*", *(_parameter(field, known) for field in every)],
            ["_set(self, '__class__', _twin)", *map(_filled, every), *ready],
            known,
        ),
        "__replace__": _function(
            "__replace__",
            ["old", "/", "**changes"],
            [
                "self = _new(_twin)",
                *(f"self.{name} = old.{name}" for name in names),
                "for name, value in changes.items(): setattr(self, name, value)",
                *ready,
                "return self",
            ],
            known,
        ),
    }
    for name, function in made.items():
        setattr(cls, name, function)
    return cls


def _parameter(field: Field[Any], known: dict[str, Any]) -> str:
    if field.default is not MISSING:
        known[f"_default_{field.name}"] = field.default
        return f"{field.name}=_default_{field.name}"
    if field.default_factory is not MISSING:
        known[f"_make_{field.name}"] = field.default_factory
        return f"{field.name}=_untold"
    return field.name


def _filled(field: Field[Any]) -> str:
    if field.default_factory is MISSING:
        return f"self.{field.name} = {field.name}"
    return f"self.{field.name} = _make_{field.name}() if {field.name} is _untold else {field.name}"


def _function(name: str, parameters: list[str], body: list[str], known: dict[str, Any]) -> Any:
    lines = [f"def {name}({', '.join(parameters)}):", *(f" {line}" for line in body)]
    found: dict[str, Any] = {}
    exec("\n".join(lines), known, found)  # noqa: S102  # as dataclasses does; field names only
    return found[name]
