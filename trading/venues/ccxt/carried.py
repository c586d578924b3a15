"""What a request says, field by field: to see that it is the order that was meant.

A word that stands somewhere proves nothing: an id in a field that the exchange does not read is no
id, and a trigger there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PATH = "/"
"""In place of a field: a part of the address's path."""


def missing(wanted: Mapping[str, str], url: str, body: str) -> str:
    """The first of *wanted* that the request does not say, as `field=value`; empty: it says all.

    A field is a name or the end of a path of names, as in `trigger.price`; numbers are compared as
    numbers.  A body is JSON, or a form as a query is.
    """
    said = list(_said(url, body))
    absent = (f"{f}={value}" for f, value in wanted.items() if not _says(said, f, value))
    return next(absent, "")


def _says(said: Iterable[tuple[str, str]], field: str, value: str) -> bool:
    return any(_ends(path, field) and _same(told, value) for path, told in said)


def _ends(path: str, field: str) -> bool:
    return path == field or path.endswith(f".{field}")


def _same(told: str, wanted: str) -> bool:
    return told == wanted or _number(told) == _number(wanted) is not None


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _said(url: str, body: str) -> Iterator[tuple[str, str]]:
    parts = urlsplit(url)
    yield from ((PATH, part) for part in parts.path.split("/") if part)
    yield from parse_qsl(parts.query, keep_blank_values=True)
    try:
        answer = json.loads(body, parse_float=str, parse_int=str) if body else None
    except ValueError:
        yield from parse_qsl(body, keep_blank_values=True)
    else:
        yield from _leaves(answer, "")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    elif isinstance(value, bool):
        yield path, "true" if value else "false"
    elif value is not None:
        yield path, str(value)
