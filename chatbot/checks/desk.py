"""`quarterdeck check`: would the desk start here, and what stands in its way."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chatbot.checks.chats import CHATS
from chatbot.checks.finding import Check, Finding, Looked, Verdict
from chatbot.checks.venues import real_feed, real_venue
from chatbot.folder.doors import first_stray
from chatbot.folder.history import HISTORY, loss, rescued_in, way_back
from chatbot.folder.state import StateFolder
from chatbot.frontends.probe import TIMEOUT
from chatbot.settings import Settings, load
from chatbot.settings.feeds import VoteFeedSettings
from chatbot.settings.trading import CcxtFeed, CcxtVenueSettings
from chatbot.wiring.connections import Connections
from chatbot.wiring.trading import prices_of, strategy_of
from handlers.format import plural
from storage import journal, latch
from storage.examine import HistoryCondition, examine, halts_in_force, last_seen
from trading.clocks import Clock
from trading.errors import Refused, SettingsError, StoreError
from trading.venues.paper.account import replayed

LEAST_FREE, LITTLE_FREE = 50_000_000, 500_000_000
"""Bytes on the disk of the state folder below which it is a fault, or worth saying."""
SET_BACK = timedelta(seconds=5)
"""Less is how clocks are kept right."""


def check(
    config: Path,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    least_free: int = LEAST_FREE,
    little_free: int = LITTLE_FREE,
    within: float = TIMEOUT,
) -> list[Finding]:
    """Look at everything that can be looked at without starting; nothing that is kept changes.

    *within*: seconds that a chat may take to answer.
    """
    try:
        settings = load(config, environ)
    except (SettingsError, Refused) as error:
        mistakes = error.mistakes if isinstance(error, SettingsError) else [str(error)]
        return [Finding("settings", Verdict.FAULT, said, "correct it") for said in mistakes]
    looked = Looked(
        settings=settings,
        clock=clock,
        least_free=least_free,
        little_free=little_free,
        within=within,
    )
    notices = [
        Finding("settings", Verdict.LOOK, said, "write it in capitals") for said in settings.notices
    ]
    return [_enabled(settings), *notices, *(f for one in _CHECKS for f in _guarded(one, looked))]


def _enabled(settings: Settings) -> Finding:
    traders = sum(t.enabled for t in settings.traders.values())
    said = f"{settings.file.name}, {traders} of {plural(len(settings.traders), 'trader')} enabled"
    return Finding("settings", Verdict.OK, said)


def _guarded(one: Check, looked: Looked) -> list[Finding]:
    """A check that breaks is itself a finding."""
    try:
        return list(one(looked))
    except Exception as error:  # noqa: BLE001  # whatever it is, the operator reads one line
        what = one.__name__.strip("_").replace("_", " ")
        said = f"could not be looked at: {type(error).__name__}: {error}"
        return [Finding(what, Verdict.FAULT, said, "mend what it names, then check again")]


def _state_folder(looked: Looked) -> Iterator[Finding]:
    path, name = looked.state, "state folder"
    if not path.exists():
        parent = _nearest(path)
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            yield Finding(name, Verdict.OK, f"{path.name} will be made at the first start")
        else:
            said = f"{path} cannot be made: {parent} is not a folder that we may write"
            yield Finding(name, Verdict.FAULT, said, "choose another [bot] state_dir")
    elif not path.is_dir():
        said = f"{path} is a file"
        yield Finding(name, Verdict.FAULT, said, "move it, or choose another [bot] state_dir")
    elif os.statvfs(path).f_flag & os.ST_RDONLY:
        said = f"{path} is on a disk that is read-only"
        yield Finding(name, Verdict.FAULT, said, "mount it writable; the kernel's log tells why")
    elif not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(name, Verdict.FAULT, f"{path} is not writable", f"chmod u+rwx {path}")
    elif stray := first_stray(path):
        said, todo = stray
        yield Finding(name, Verdict.FAULT, said, todo)
    else:
        yield from _files_in(path, name)


def _files_in(path: Path, name: str) -> Iterator[Finding]:
    """A folder that is ours may still hold files that are not."""
    kept = (path / HISTORY, latch.path_in(path), *sorted(path.glob("*.journal")))
    closed = [f for f in kept if f.exists() and not os.access(f, os.R_OK | os.W_OK)]
    for file in closed:
        yield Finding(name, Verdict.FAULT, f"{file} is not writable", f"chmod u+rw {file}")
    if not closed:
        pid = StateFolder(path).holder()
        running = f"a desk runs on it (pid {pid})" if pid is not None else "no desk runs on it"
        yield Finding(name, Verdict.OK, running)


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def _permissions(looked: Looked) -> Iterator[Finding]:
    wanted = (
        (looked.state, 0o077, "chmod 700"),
        (looked.state / "control.sock", 0o077, "chmod 600"),
        (looked.state / "stop.sock", 0o077, "chmod 600"),
    )
    open_to = [
        Finding("permissions", Verdict.FAULT, f"{path} is open to others", f"{mend} {path}")
        for path, forbidden, mend in wanted
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & forbidden
    ]
    yield from open_to or [Finding("permissions", Verdict.OK, "state folder and sockets")]


def _disk(looked: Looked) -> Iterator[Finding]:
    place = os.statvfs(_nearest(looked.state))
    free = place.f_bavail * place.f_frsize
    said = f"{free / 1e9:.1f} GB free" if free >= 1e9 else f"{free / 1e6:.1f} MB free"  # noqa: PLR2004
    if place.f_files and not place.f_favail:
        said = "no further file can be made (inodes used up)"
        yield Finding("disk", Verdict.FAULT, said, "remove files there")
    elif free < looked.least_free:
        yield Finding("disk", Verdict.FAULT, said, "make room: history cannot be written soon")
    elif free < looked.little_free:
        yield Finding("disk", Verdict.LOOK, said, "make room before long")
    else:
        yield Finding("disk", Verdict.OK, said)


# -- the database -------------------------------------------------------------------------


def _database(looked: Looked) -> Iterator[Finding]:
    path = looked.state / HISTORY
    copy = rescued_in(looked.state)
    if copy is not None:
        todo = f"end the desk if one runs, then: {way_back(copy)}"
        yield Finding("database", Verdict.FAULT, f"{HISTORY} {loss(copy)}", todo)
        return
    if not path.exists():
        yield _no_database(looked)
        return
    found = examine(path)
    verdict, said, todo = _CONDITIONS[found.condition]
    yield Finding("database", verdict, said.format(found.said), todo)


def _no_database(looked: Looked) -> Finding:
    """None yet; or none any more."""
    if latch.read(latch.path_in(looked.state)).began:
        todo = "put a backup in its place; without one the next start is halted, and knows nothing"
        return Finding("database", Verdict.FAULT, "gone, and a desk has run here", todo)
    return Finding("database", Verdict.OK, "none yet")


_CONDITIONS = {
    HistoryCondition.GOOD: (Verdict.OK, "revision {}", ""),
    HistoryCondition.EMPTY: (Verdict.OK, "empty; the next start makes its tables", ""),
    HistoryCondition.OLDER: (Verdict.LOOK, "revision {}", "the next start updates it"),
    HistoryCondition.NEWER: (
        Verdict.FAULT,
        "revision {} is newer",
        "run the Quarterdeck that made it, or put a backup in its place",
    ),
    HistoryCondition.FOREIGN: (
        Verdict.FAULT,
        "it is not of Quarterdeck's making",
        "move it, or choose another state_dir",
    ),
    HistoryCondition.MIXED: (Verdict.FAULT, "{}", "move them, then check again"),
    HistoryCondition.HELD: (
        Verdict.FAULT,
        "another program holds it",
        "find it with fuser -v history.db, and end it",
    ),
    HistoryCondition.DAMAGED: (
        Verdict.FAULT,
        "damaged: {}",
        "put a backup in its place, or: quarterdeck run --fresh",
    ),
    HistoryCondition.UNREADABLE: (
        Verdict.FAULT,
        "{}",
        "look at the disk and at who may read and write the folder",
    ),
}
"""Of each: how bad it is, what is said, what to do."""


# -- halts and clock ----------------------------------------------------------------------


def _halts(looked: Looked) -> Iterator[Finding]:
    kept = latch.read(latch.path_in(looked.state))
    if kept.damaged:
        todo = "the next start is halted: look at /halts, then /resume"
        yield Finding("latch file", Verdict.FAULT, "damaged", todo)
    elif not kept.began and last_seen(looked.state / HISTORY) is not None:
        todo = "the next start is halted: look at /halts, then /resume"
        yield Finding("latch file", Verdict.FAULT, "gone, or emptied", todo)
    names = {halt.id for halt in kept.halts} | halts_in_force(looked.state / HISTORY)
    if kept.request:
        names.add(f"a stop asked for by {kept.request.by}")
    if names:
        said = f"{len(names)} in force: {', '.join(sorted(names))}"
        yield Finding("halts", Verdict.LOOK, said, "look at /halts, then /resume")
    else:
        yield Finding("halts", Verdict.OK, "none in force")


def _clock(looked: Looked) -> Iterator[Finding]:
    now = looked.clock.now()
    seen = last_seen(looked.state / HISTORY)
    if now < datetime(2026, 1, 1, tzinfo=UTC):
        todo = "set the machine's clock, then: timedatectl set-ntp true"
        yield Finding("clock", Verdict.FAULT, f"says {now:%Y-%m-%d}", todo)
    elif seen is not None and now < seen - SET_BACK:
        said = f"{now:%Y-%m-%d %H:%M} UTC, behind the last run, {seen:%Y-%m-%d %H:%M} UTC"
        yield Finding("clock", Verdict.FAULT, said, "set the machine's clock; one of them is wrong")
    else:
        zone = looked.settings.bot.timezone
        yield Finding("clock", Verdict.OK, f"{now:%Y-%m-%d %H:%M} UTC, {zone}")


# -- what trades --------------------------------------------------------------------------


def _feeds(looked: Looked) -> Iterator[Finding]:
    for name in _trading(looked):
        section = looked.settings.feeds[looked.settings.traders[name].feed]
        if not isinstance(section, VoteFeedSettings):
            yield from _prices(looked, name, looked.settings.traders[name].feed, f"feed of {name}")
            continue
        for source in section.sources:
            yield from _prices(looked, name, source.feed, f"source {source.feed} of {name}")


def _prices(looked: Looked, name: str, feed_name: str, what: str) -> Iterator[Finding]:
    """Of one feed that trader *name* goes by."""
    section = looked.settings.feeds[feed_name]
    if isinstance(section, CcxtFeed):
        yield from real_feed(looked, name, feed_name, section, what)
    else:
        try:
            feed = prices_of(looked.settings, name, feed_name, looked.clock, _connections(looked))
            bars = feed.candles(feed.first_cursor, 1_000_000).bars
        except (SettingsError, ValueError) as error:
            yield Finding(what, Verdict.FAULT, str(error), "correct it")
        else:
            said = f"{feed.name}, {len(feed.symbols)} symbols, {bars} bars of warm-up"
            yield Finding(what, Verdict.OK, said)


def _connections(looked: Looked) -> Connections:
    return Connections(looked.settings, looked.clock)


def _venues(looked: Looked) -> Iterator[Finding]:
    for name in _trading(looked):
        section = looked.settings.traders[name]
        what = f"venue of {name}"
        venue = looked.settings.venues[section.venue]
        if isinstance(venue, CcxtVenueSettings):
            yield from real_venue(looked, name, venue)
            continue
        try:
            records = journal.read(looked.state / f"paper-{name}.journal")
            held = len(list(replayed(records).holdings()))
        except (StoreError, ValueError, KeyError, TypeError) as error:
            yield Finding(
                what,
                Verdict.FAULT,
                f"its paper book cannot be read: {error}",
                "put a copy of it in its place, or: quarterdeck run --fresh",
            )
        else:
            book = f"{plural(held, 'position')} in its book" if records else "its book will be made"
            yield Finding(what, Verdict.OK, f"{section.venue}, paper, {book}")


def _intents(looked: Looked) -> Iterator[Finding]:
    """Orders that history did not take in time; read at each start."""
    try:
        count = len(journal.read(looked.state / "intents.journal"))
    except StoreError as error:
        todo = "move it aside: the books are compared with the venue all the same"
        yield Finding("order journal", Verdict.FAULT, str(error), todo)
    else:
        yield Finding("order journal", Verdict.OK, f"{plural(count, 'order')} in it")


def _strategies(looked: Looked) -> Iterator[Finding]:
    for name in _trading(looked):
        try:
            strategy_of(looked.settings, name)
        except SettingsError as error:
            yield Finding(f"strategy of {name}", Verdict.FAULT, str(error), "correct it")
        else:
            said = looked.settings.traders[name].strategy
            yield Finding(f"strategy of {name}", Verdict.OK, said)


def _trading(looked: Looked) -> list[str]:
    return [name for name, section in looked.settings.traders.items() if section.enabled]


_CHECKS: tuple[Check, ...] = (
    _state_folder,
    _permissions,
    _disk,
    _database,
    _halts,
    _clock,
    _feeds,
    _venues,
    _intents,
    _strategies,
    *CHATS,
)
