"""Secrets that stand in files of their own.

`token_file` of each chat, `totp_file`, and the `key_file` and others of a venue.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from chatbot.folder.state import beside
from chatbot.settings.places import GivenValues, Mistake, is_on, merged, tables
from chatbot.settings.secret import dressed
from chatbot.settings.values import Wrong

VENUE_SECRETS = ("key", "secret", "passphrase")
MOST = 65_536
"""Bytes; whatever is longer is no secret of ours."""


def read_secrets(said: GivenValues) -> tuple[dict[str, Any], list[Mistake]]:
    """Return what the files named in *said* hold, as tables, and what is wrong with them."""
    found: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for section, key in _wanted(said):
        name = said.value((*section, f"{key}_file"))
        try:
            text = _text_of(beside(said.file, name))
            value: Any = _people(text) if key == "totp" else SecretStr(text)
        except Wrong as error:
            mistakes.append(said.wrong((*section, f"{key}_file"), str(error)))
            continue
        for name_of_section in (key, *reversed(section)):
            value = {name_of_section: value}
        found = merged(found, value)
    return found, mistakes


def _wanted(said: GivenValues) -> Iterator[tuple[tuple[str, ...], str]]:
    """The sections that name a file and need it: the environment wins, what is off needs none."""
    for name, section in tables(said.values.get("chat")).items():
        if name in ("telegram", "discord") and is_on(section, default=False):
            yield from _named(("chat", name), "token", section)
    for name, section in tables(said.values.get("venues")).items():
        for key in VENUE_SECRETS:
            yield from _named(("venues", name), key, section)
    access = said.values.get("access")
    if isinstance(access, dict):
        yield from _named(("access",), "totp", access)


def _named(
    section: tuple[str, ...], key: str, values: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str]]:
    name = values.get(f"{key}_file")
    if isinstance(name, str) and name and values.get(key) is None:
        yield section, key


def _text_of(path: Path) -> str:
    """What stands in the file.  Raises `Wrong`, never with a word of it."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            raise Wrong(f"others may read or write it: chmod 600 {path}")
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST + 1).strip()
    except FileNotFoundError:
        raise Wrong(f"there is no {path}") from None
    except OSError as error:
        raise Wrong(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Wrong("it is not text in UTF-8") from None
    if not text or len(text) > MOST:
        raise Wrong("it is empty" if not text else "it is too long")
    if wrong := dressed(text):
        raise Wrong(wrong)
    return text


def _people(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise Wrong('it is not JSON as in {"telegram:111": "SECRET"}')
    return found
