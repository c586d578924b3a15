"""The file: bot.toml as tables, and the line of each of its keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from chatbot.folder.owners import writers
from chatbot.settings.values import Keys
from trading.errors import SettingsError


@dataclass(frozen=True, slots=True)
class File:
    tables: dict[str, Any]
    lines: Mapping[Keys, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            if by := writers(path):
                raise SettingsError([f"{path.name} may be written by {by}"])
            text = path.read_text(encoding="utf-8-sig")  # editors on Windows begin it with a BOM
            return cls(tomllib.loads(text, parse_float=Decimal), _lines_of(text))
        except OSError as error:
            sentence = f"{path} cannot be read: {error.strerror}; name another with --config"
        except UnicodeDecodeError:
            sentence = f"{path.name} is not text in UTF-8"
        except tomllib.TOMLDecodeError as error:
            sentence = _plain_syntax(path, text, str(error))
        raise SettingsError([sentence])


def _lines_of(text: str) -> dict[Keys, int]:
    """The line of every section and key of *text*, which is valid TOML.

    Each statement is read alone, by the real parser: it ends where what was gathered is valid.
    """
    lines: dict[Keys, int] = {}
    section: Keys = ()
    counts: dict[Keys, int] = {}
    gathered, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun if gathered else number
        gathered += line + "\n"
        try:
            statement = tomllib.loads(gathered)
        except tomllib.TOMLDecodeError:
            continue  # an array or a text over several lines
        if gathered.lstrip().startswith("["):
            section = _section(statement, counts)
            paths = [section]
        else:
            paths = [section + path for path in _paths(statement)]
        for path in paths:
            for n in range(1, len(path) + 1):
                lines.setdefault(path[:n], begun)
        gathered = ""
    return lines


def _section(statement: Mapping[str, Any], counts: dict[Keys, int]) -> Keys:
    """`[a.b]` is ("a", "b"); the second `[[a.b]]` is ("a", "b", 1)."""
    path: Keys = ()
    inner: Any = statement
    while isinstance(inner, dict) and inner:
        (key, inner), *_ = inner.items()
        path += (key,)
    if isinstance(inner, list):
        counts[path] = counts.get(path, -1) + 1
        path += (counts[path],)
    return path


def _paths(value: Any) -> list[Keys]:
    """Where the innermost values of *value* stand."""
    if isinstance(value, dict) and value:
        return [(key, *path) for key, inner in value.items() for path in _paths(inner)]
    return [()]


_SYNTAX = {
    "Expected '=' after a key": 'a key is followed by "=" and its value',
    "Invalid value": 'no value that can be read; text stands in quotes, as in "paper"',
    "Cannot overwrite a value": "this key stands here for the second time",
    "Cannot declare": "this section stands here for the second time",
    "Unclosed array": 'a list is not closed with "]"',
    "Unclosed inline table": 'a table is not closed with "}"',
    "Unterminated string": "a text is not closed with its quote",
    "Illegal character '\\n'": "a text is not closed with its quote",
    "Expected newline or end of document": "something follows that does not belong on this line",
    "Expected ']' at the end of a table": 'a section is not closed with "]"',
}


def _plain_syntax(path: Path, text: str, told: str) -> str:
    said = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", told, re.DOTALL)
    words, line = (said[1], said[2]) if said else (told, None)
    plain = next((plain for begin, plain in _SYNTAX.items() if words.startswith(begin)), words)
    return f"{path.name} {line or text.rstrip().count(chr(10)) + 1}: {plain}"
