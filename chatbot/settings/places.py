"""Where each value was said, and mistakes that name the place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from chatbot.logs import MASK
from chatbot.settings.secret import SECRET_MAPS, dressed, is_secret, leaves, shown
from chatbot.settings.values import Keys
from trading.common.text import clean

PREFIX = "QUARTERDECK__"


@dataclass(frozen=True, slots=True)
class Mistake:
    line: int
    """0: not from the file."""
    sentence: str


@dataclass(frozen=True, slots=True)
class GivenValues:
    """Every value that was given, and where."""

    file: Path
    lines: Mapping[Keys, int]
    variables: Mapping[Keys, str]
    values: Mapping[str, Any]

    def line(self, keys: Keys) -> int:
        """Of the key, or of the section that it is missing from; 0 if the file has neither."""
        return next(
            (self.lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.lines), 0
        )

    def variable(self, keys: Keys) -> tuple[Keys, str] | None:
        """The environment variable that set the value at *keys* or around it."""
        for n in range(len(keys), 0, -1):
            if keys[:n] in self.variables:
                return keys[:n], self.variables[keys[:n]]
        return None

    def place(self, keys: Keys) -> str:
        """`bot.toml 41: traders.majors.limits.max_positions`, or the variable."""
        variable = self.variable(keys)
        if variable is not None:
            whole, name = variable
            return name if whole == keys else f"{name}: {dotted(keys)}"
        line = self.line(keys)
        return f"{self.file.name}{f' {line}' if line else ''}: {dotted(keys)}"

    def at(self, keys: Keys, why: str) -> Mistake:
        line = 0 if self.variable(keys) else self.line(keys)
        return Mistake(line, f"{self.place(keys)}{why}")

    def mistake(self, keys: Keys, why: str) -> str:
        return self.wrong(keys, why).sentence

    def wrong(self, keys: Keys, why: str) -> Mistake:
        """The value at *keys* is wrong; from the environment it is shown without quotes."""
        if self.value(keys) is None:
            return self.at(keys, f" is not set, {why}")
        value = shown(keys, self.value(keys))
        if keys in self.variables:
            value = unquoted(value)
        return self.at(keys, f" = {value}, {why}")

    def value(self, keys: Keys) -> Any:
        value: Any = self.values
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def secrets_written(said: GivenValues, tables: Mapping[str, Any]) -> Iterator[Mistake]:
    """What must not stand in a file that is copied, shown and committed."""
    for keys, value in leaves(tables):
        if is_secret(keys, value):
            variable = PREFIX + "__".join(str(key) for key in keys).upper()
            line = said.line(keys)
            yield Mistake(
                line,
                f"{said.file.name} {line}: {dotted(keys)} looks like a secret; "
                f"take it out of the file and set {variable} in the environment",
            )


def unseen(said: GivenValues) -> Iterator[Mistake]:
    """Values with something in them that nobody sees: what is read is not what was meant."""
    for keys, value in leaves(said.values):
        if isinstance(value, str) and clean(value) != value:
            what = "something that is not seen: a control character, or bytes that are not UTF-8"
            yield said.at(keys, f" holds {what}; write it again by hand")


def dressed_secrets(said: GivenValues, values: Mapping[str, Any]) -> Iterator[Mistake]:
    """Secrets with something around them: the platform would only say that they are wrong."""
    for keys, value in leaves(values):
        for inner in value.values() if isinstance(value, dict) else (value,):
            text = inner.get_secret_value() if isinstance(inner, SecretStr) else inner
            if is_secret(keys, value) and isinstance(text, str) and (wrong := dressed(text)):
                yield said.at(keys, f": {wrong}")


def dotted(keys: Keys) -> str:
    names = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in _harmless(keys))
    return "".join(names).lstrip(".")


def _harmless(keys: Keys) -> Iterator[str | int]:
    """Among secrets somebody may have taken one for a name."""
    secret = False
    for key in keys:
        yield MASK if secret and not re.fullmatch(r"[a-z]+:\d+", str(key)) else key
        secret = secret or key in SECRET_MAPS


def variable_of(keys: Keys) -> str:
    return PREFIX + "__".join(str(key) for key in keys).upper()


def unquoted(shown: str) -> str:
    return shown.removeprefix('"').removesuffix('"')


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = (
            merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return both


def tables(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        return {}
    return {name: table for name, table in value.items() if isinstance(table, dict)}


def is_on(section: Mapping[str, Any], *, default: bool = True) -> bool:
    """Whether it is enabled, as pydantic would read what was written."""
    return str(section.get("enabled", default)).lower() not in {"false", "0", "no", "off", "n", "f"}
