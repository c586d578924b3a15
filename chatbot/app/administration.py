"""What the process offers to those who look after it: the port behind /config, /reload, /log."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from chatbot import logs
from chatbot.folder.state import StateFolder
from chatbot.settings import Settings, load
from handlers.context import BackedUp, Person, VenueSummary
from storage import backup
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.errors import Refused, SettingsError, StoreError
from trading.events import SettingsRefused, SettingsReloaded

log = logging.getLogger(__name__)

Apply = Callable[[Settings], None]

_BACKUP = re.compile(r"history-\d{4}-\d\d-\d\dT\d{6}\.db")
"""As `/backup` names them; they sort by their age."""

_WHILE_TRADING = ("limits", "alerts")
"""Sections that take effect at once; of a trader's section `limits` and `exits` do."""
_OF_A_TRADER = ("limits", "exits")


class ProcessAdministration:
    """Implements `handlers.context.Administration` on this process."""

    def __init__(
        self,
        *,
        settings: Settings,
        folder: StateFolder,
        history: Path,
        recorder: Recorder,
        clock: Clock,
        people: Sequence[Person],
        chats: Callable[[], Mapping[str, str]],
        apply: Apply,
        lost: Callable[[], str] = lambda: "",
        venues: Callable[[], Sequence[VenueSummary]] = tuple,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._history = history
        self._recorder = recorder
        self._clock = clock
        self._people = people
        self._chats = chats
        self._apply = apply
        self._lost = lost
        self._venues = venues
        self._environ = environ

    def settings(self) -> Sequence[tuple[str, str]]:
        return tuple(_flat(self._settings.model_dump()))

    def people(self) -> Sequence[Person]:
        return self._people

    def chats(self) -> Mapping[str, str]:
        return self._chats()

    def venues(self) -> Sequence[VenueSummary]:
        return self._venues()

    async def reload(self, *, by: str) -> Sequence[str]:
        try:
            fresh = await asyncio.to_thread(load, self._settings.file, self._environ)
            _refuse_restart_only(self._settings, fresh)
        except SettingsError as error:
            told = SettingsRefused(at=self._clock.now(), mistakes=tuple(error.mistakes))
            await self._recorder.say(told)
            raise
        changes = tuple(_changes(self._settings, fresh))
        if changes:
            self._apply(fresh)
            self._settings = fresh
            await self._recorder.say(SettingsReloaded(at=self._clock.now(), by=by, changes=changes))
        return changes

    async def backup(self) -> BackedUp:
        """Raises `Refused` with what stands in its way."""
        name = f"history-{self._clock.now():%Y-%m-%dT%H%M%S}.db"
        folder = self._folder.path / "backups"
        await asyncio.to_thread(_copy, self._history, folder, name, self._lost())
        gone = await asyncio.to_thread(_thin_out, folder, self._settings.bot.keep_backups)
        return BackedUp(name=f"{folder.name}/{name}", removed=gone)

    async def log(self, count: int) -> Sequence[str]:
        return await asyncio.to_thread(_tail, self._folder.logs / logs.FILE, count)


def _copy(history: Path, folder: Path, name: str, lost: str) -> None:
    if lost:
        raise Refused(f"No backup was made: {lost}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        backup.copy(history, folder / name)
    except OSError as error:
        raise Refused(f"No backup was made: {folder}: {error.strerror or error}") from error
    except StoreError as error:
        raise Refused(f"No backup was made: {error}") from error


def _thin_out(folder: Path, keep: int) -> tuple[str, ...]:
    """Remove the oldest backups of ours above *keep*; what bears another name stays."""
    ours = sorted(path for path in folder.iterdir() if _BACKUP.fullmatch(path.name))
    gone = []
    for path in ours[:-keep]:
        try:
            path.unlink()
        except OSError as error:
            log.warning("the old backup %s stays: %s", path, error)
        else:
            gone.append(path.name)
    return tuple(gone)


# -- settings as text ---------------------------------------------------------------------


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif value is not None:
            yield name, _text(value)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return str(value)  # pydantic's own mask
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) for item in value) or "none"
    return str(value)


def _changes(before: Settings, after: Settings) -> Iterator[str]:
    old, new = dict(_flat(before.model_dump())), dict(_flat(after.model_dump()))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"{key} {old.get(key, 'unset')} to {new.get(key, 'unset')}"


def _refuse_restart_only(before: Settings, after: Settings) -> None:
    """Raise `SettingsError` for changes that only a restart can make true."""
    late = [line for line in _changes(before, after) if not _is_live(line.partition(" ")[0])]
    if late:
        raise SettingsError([f"{line}: only at the next start" for line in late])


def _is_live(key: str) -> bool:
    first, *rest = key.split(".")
    return first in _WHILE_TRADING or (
        first == "traders" and len(rest) > 1 and rest[1] in _OF_A_TRADER
    )


# -- the log ------------------------------------------------------------------------------


def _tail(path: Path, count: int) -> Sequence[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            newest = deque(lines, maxlen=count)
    except FileNotFoundError:
        return ()
    return tuple(_line(text) for text in newest)


def _line(text: str) -> str:
    try:
        entry = json.loads(text)
        at = datetime.fromisoformat(entry["at"])
        return f"{at:%H:%M:%S} {entry['level']} {entry['event']}"
    except (ValueError, KeyError, TypeError):
        return text.strip()
