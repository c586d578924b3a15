"""Strategies, one file each: `ema_cross.py` holds `EmaCross` and is named `ema_cross`."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, cast, get_args, get_origin

from trading.strategies.base import Strategy, Tunable


def names() -> list[str]:
    """Return the names of all strategies there are."""
    return sorted(file.name for file in pkgutil.iter_modules(__path__) if file.name != "base")


def strategy(name: str, settings: Mapping[str, object]) -> Strategy:
    """Make the strategy of that name.

    Raises `ValueError`, a sentence for the operator, for an unknown name, unknown or missing
    settings, and values that make no sense.
    """
    if name not in names():
        raise ValueError(f"there is no strategy {name!r}; there is {_listed(names())}")
    make = _maker(name)
    _check(name, settings, _settings(make))
    try:
        return make(**settings)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def settings_in_use(name: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Return *settings* with the defaults of what they leave out."""
    known = _settings(_maker(name))
    defaults = {key: p.default for key, p in known.items() if p.default is not p.empty}
    return {key: {**defaults, **settings}[key] for key in known if key in {**defaults, **settings}}


def tunables(name: str) -> dict[str, tuple[type, Tunable | None]]:
    """Return, of each setting that is a number or a switch, its type and what may be tuned of it.

    The type is `int`, `float` or `bool`.
    """
    found: dict[str, tuple[type, Tunable | None]] = {}
    for key, parameter in _settings(_maker(name), eval_str=True).items():
        hint = parameter.annotation
        plain, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        kind = _kind(plain)
        if kind is not None:
            range_ = next((each for each in extras if isinstance(each, Tunable)), None)
            found[key] = (kind, range_)
    return found


def _kind(hint: object) -> type | None:
    """Of a number or a switch: `int`, `bool` or `float`; a number that may be either is `float`."""
    if hint in {int, bool}:
        return cast("type", hint)
    return float if float in {hint, *get_args(hint)} else None


def summary(name: str) -> str:
    """Return what the strategy of that name says of itself, in one line."""
    return (inspect.getdoc(_maker(name)) or "").partition("\n")[0]


def _maker(name: str) -> Callable[..., Strategy]:
    module = importlib.import_module(f"{__name__}.{name}")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    return cast("Callable[..., Strategy]", getattr(module, class_name))


def _settings(
    make: Callable[..., Strategy], *, eval_str: bool = False
) -> dict[str, inspect.Parameter]:
    """What can be set by its name: of a strategy without an `__init__` of its own, nothing."""
    known = inspect.signature(make, eval_str=eval_str).parameters
    open_ended = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return {key: each for key, each in known.items() if each.kind not in open_ended}


def _check(
    name: str, settings: Mapping[str, object], known: Mapping[str, inspect.Parameter]
) -> None:
    for key in settings:
        if not known:
            raise ValueError(f"{name} has no settings, so no {key!r} either")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{name} has no setting {key!r}, only {_listed(known)}{hint}")
    needed = [key for key, parameter in known.items() if parameter.default is parameter.empty]
    missing = [key for key in needed if key not in settings]
    if missing:
        raise ValueError(f"{name} needs {_listed(missing)}")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
