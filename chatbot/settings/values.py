"""Kinds of values: what may stand behind a key, and how it is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from trading.errors import InvalidSymbol
from trading.types import Symbol

Keys = tuple[str | int, ...]
"""Where a value stands, as in ("traders", "majors", "limits", "max_positions")."""


class Wrong(ValueError):
    """A value that breaks more than its own bounds, said in words.

    *key* names the key at fault where a whole section was checked.
    """

    def __init__(self, why: str, *, key: str = "") -> None:
        super().__init__(why)
        self.key = key


_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
Timeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "1d"]


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise Wrong("a number is wanted")  # Python would count true as 1
    percent = _percent(value)
    if percent is not None:
        raise Wrong(f"a number is wanted, without a sign behind it, as in {percent:f}")
    return value


def in_percent(value: object) -> object:
    """A share, written as a part of 1 or with a sign behind it: "0.5%" is 0.005."""
    percent = _percent(value)
    return _no_truth(value) if percent is None else percent / 100


def _share(value: object) -> object:
    percent = _percent(value)
    if percent is not None:
        raise Wrong(f"a share is written as a part of 1: {percent:f} % is {percent / 100:f}")
    return _no_truth(value)


def _percent(value: object) -> Decimal | None:
    """3 for `3%`, `3 %`, `3,0 percent`; None for what is no such text."""
    said = re.fullmatch(
        r"\s*([+-]?\d{1,9}(?:[.,]\d{1,9})?)\s*(?:%|percent|pct|per cent)\s*",
        value if isinstance(value, str) else "",
        re.IGNORECASE,
    )
    return None if said is None else Decimal(said[1].replace(",", "."))


def duration(value: object) -> timedelta:
    said = re.fullmatch(r"(\d{1,6})\s*([smhd])", value) if isinstance(value, str) else None
    if said is None:
        raise ValueError("not a time")
    return timedelta(seconds=int(said[1]) * _UNITS[said[2]])


def _clock_time(value: object) -> time:
    said = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if said is None:
        raise ValueError("not a time of the day")
    return time(int(said[1]), int(said[2]))


def span(value: object) -> tuple[time, time]:
    begin, dash, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    span = _clock_time(begin.strip()), _clock_time(end.strip())
    if not dash or span[0] == span[1]:
        raise ValueError("not a span of the day")
    return span


def _id(value: object) -> str:
    said = str(value).strip() if isinstance(value, int | str) else ""
    if isinstance(value, bool) or not re.fullmatch(r"-?[1-9][0-9]{0,19}", said):
        raise ValueError("not an id")
    return said


def _positive_id(value: object) -> str:
    said = _id(value)
    if said.startswith("-"):
        raise ValueError("below 0")
    return said


def _address(schemes: str) -> AfterValidator:
    """An address without names, passwords or questions in it: it is shown and logged."""

    def check(value: str) -> str:
        if not re.fullmatch(rf"({schemes})://[^\s/@?#]+(/[^\s?#]*)?", value):
            raise ValueError("not an address")
        return value.rstrip("/")

    return AfterValidator(check)


def web_address(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value.get_secret_value()):
        raise ValueError("not an address")
    return value


def _symbol(value: object) -> Symbol:
    try:
        return Symbol.parse(value if isinstance(value, str) else "")
    except InvalidSymbol:
        raise ValueError("not a symbol") from None


def one_of(names: Callable[[], Iterable[str]]) -> AfterValidator:
    """Among *names*, asked for only when there is a value to check."""

    def check(value: str) -> str:
        known = sorted(names())
        if value not in known:
            raise Wrong(f"allowed {alternatives(known)}{perhaps(value, known)}")
        return value

    return AfterValidator(check)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=24)]
"""Of a venue, feed or trader: what can be typed in a chat and in a variable alike."""
NAME_RULE = 'a name is lower case letters, digits and single "_", at most 24, as in majors'
Whole = Annotated[int, BeforeValidator(_no_truth)]
Number = Annotated[Decimal, BeforeValidator(_no_truth)]
Share = Annotated[Decimal, BeforeValidator(_share)]
"""A fraction: 0.03 is 3 %."""
Duration = Annotated[timedelta, BeforeValidator(duration)]
"""Whole seconds, minutes, hours or days: "90s", "15m", "4h", "1d"."""
ClockTime = Annotated[time, BeforeValidator(_clock_time)]
Pair = Annotated[Symbol, BeforeValidator(_symbol)]


Id = Annotated[str, BeforeValidator(_id)]
"""A platform's number for a chat or a group, kept as text."""
PersonId = Annotated[str, BeforeValidator(_positive_id)]
"""Likewise, of what is never below 0: people, guilds, channels, roles."""
Called = Annotated[str, Field(pattern=r"^[^\W_](?:[ ._-]?[^\W_]){0,19}$")]
"""How a person is called in answers: letters and figures, single marks between them."""
RoleName = Literal["viewer", "operator", "owner"]
LevelName = Literal["info", "notice", "urgent", "critical"]
Address = Annotated[str, _address("https?")]
Gateway = Annotated[str, _address("wss?")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def bound(value: Any) -> str:
    if not isinstance(value, timedelta):
        return f"{value:,}" if isinstance(value, int) else str(value)
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f'"{seconds // _UNITS[unit]}{unit if seconds else "s"}"'


def alternatives(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def perhaps(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
