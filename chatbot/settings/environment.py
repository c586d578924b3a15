"""The environment: every `QUARTERDECK__A__B=value` is a setting, or a mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from pydantic import SecretStr

from chatbot.settings.kinds import kind_of
from chatbot.settings.places import PREFIX, Mistake, merged, unquoted
from chatbot.settings.secret import SECRET_NAME, shown
from chatbot.settings.values import Keys
from chatbot.settings.whole import Settings


@dataclass(frozen=True, slots=True)
class Environment:
    tables: dict[str, Any]
    variables: Mapping[Keys, str]
    mistakes: Sequence[Mistake]
    notices: Sequence[str] = ()
    """What was read otherwise than it was written."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Take every `QUARTERDECK__A__B=value`; lists and maps are JSON."""
        tables: dict[str, Any] = {}
        variables: dict[Keys, str] = {}
        mistakes = [Mistake(0, sentence) for sentence in _near_misses(environ)]
        names = sorted(n for n in environ if n.upper().startswith(PREFIX))
        mistakes += (Mistake(0, sentence) for sentence in _said_twice(names))
        for name in names:
            keys = tuple(name[len(PREFIX) :].lower().split("__"))
            if not all(keys):
                mistakes.append(Mistake(0, f"{name} names no setting"))
                continue
            try:
                value = _decoded(keys, environ[name])
            except ValueError:
                written = unquoted(shown(keys, environ[name]))
                mistakes.append(Mistake(0, f"{name} = {written}, lists and maps are JSON"))
                continue
            variables[keys] = name
            tables = merged(tables, _nested(keys, value))
        small = (f"{n} is read as {n.upper()}" for n in names if n != n.upper())
        return cls(tables, variables, mistakes, tuple(small))


def _decoded(keys: Sequence[str], text: str) -> Any:
    if SECRET_NAME.search(keys[-1]):
        return SecretStr(text)
    if text.lstrip().startswith(("[", "{")):
        return json.loads(text, parse_float=Decimal)
    if kind_of(keys) is Any:  # a strategy's parameter: nothing here says what it is
        try:
            return json.loads(text, parse_float=Decimal)
        except ValueError:
            return text
    return text


def _said_twice(names: Sequence[str]) -> Iterator[str]:
    """In small letters and in capitals: which one counts, nobody could tell."""
    capitals = {name.upper(): name for name in names}
    for name in names:
        if capitals[name.upper()] != name:
            yield f"{name} and {capitals[name.upper()]} are the same setting; keep one of them"


def _near_misses(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that would be taken for settings by everybody but us."""
    for name in sorted(environ):
        rest = name.upper().removeprefix("QUARTERDECK_")
        section = next((s for s in Settings.model_fields if rest.startswith(f"{s.upper()}_")), None)
        if rest != name.upper() and section:
            yield f"{name} is not read; settings begin with {PREFIX}{section.upper()}__"


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)
