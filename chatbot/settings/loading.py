"""`load`: the file and the environment, every mistake told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from chatbot.settings.across import across
from chatbot.settings.environment import Environment
from chatbot.settings.explain import explained
from chatbot.settings.file import File
from chatbot.settings.places import (
    GivenValues,
    Mistake,
    dressed_secrets,
    merged,
    secrets_written,
    unseen,
)
from chatbot.settings.secret_files import read_secrets
from chatbot.settings.whole import Settings
from trading.errors import SettingsError


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and check everything.  Raises `SettingsError` with every mistake at once."""
    file = File.read(path)
    environment = Environment.read(environ)
    said = GivenValues(
        path, file.lines, environment.variables, merged(file.tables, environment.tables)
    )
    secrets, unreadable = read_secrets(said)
    found = [*secrets_written(said, file.tables), *environment.mistakes, *unreadable]
    found += [*unseen(said), *dressed_secrets(said, merged(environment.tables, secrets))]
    found += across(replace(said, values=merged(secrets, said.values)))
    given: dict[str, Any] = {
        "file": file.tables,
        "environment": environment.tables,
        "secrets": secrets,
    }
    try:
        settings = Settings(**given)
    except ValidationError as error:
        found += explained(said, error.errors(include_url=False))
    if found:
        raise SettingsError(list(dict.fromkeys(m.sentence for m in sorted(found, key=_by_place))))
    settings._said = said  # noqa: SLF001  # made here, and only here
    settings._notices = tuple(environment.notices)  # noqa: SLF001  # as above
    return settings


def _by_place(mistake: Mistake) -> tuple[bool, int]:
    return mistake.line == 0, mistake.line
