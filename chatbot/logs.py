"""Structured logs: a JSON line per event in a rotating file, and what matters on the console.

The event loop only puts entries in a queue; one thread writes them.  Before they get there they
are turned into plain text, exceptions included, and every secret in them is masked.  A disk that
fails or hangs loses log lines, never anything else.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote


@contextmanager
def _without(library: str) -> Iterator[None]:
    """Nobody finds *library* meanwhile, unless it is loaded already."""
    hidden = library not in sys.modules
    if hidden:
        sys.modules[library] = None  # type: ignore[assignment]  # as Python spells it
    try:
        yield
    finally:
        if hidden:
            del sys.modules[library]


with _without("rich"):  # eighty modules, for tracebacks that nobody sees
    import structlog

get_logger = structlog.stdlib.get_logger

FILE, SIZE, FILES = "quarterdeck.jsonl", 10_000_000, 5
WAITING = 10_000
"""Entries that may wait for the disk; more are dropped, and counted."""
MASK = "***"
TOLD = "told"
"""An entry with this key was said to the operator in other words: it stays off the console."""
TELEGRAM_TOKEN = re.compile(r"(?<!\d)\d{6,}(?::|%3A)[A-Za-z0-9_-]{30,}", re.IGNORECASE)
_FAREWELL = 1.0
"""Seconds that the last entries have to reach the disk."""
_CHATTERERS = (
    *("apscheduler", "httpcore", "httpx", "aiosqlite", "alembic", "asyncio"),
    *("telegram", "discord", "ccxt", "aiohttp.access", "matplotlib"),
)
"""Libraries that tell each step (and URLs, words and names, which are nobody's business)."""

Entry = dict[str, Any]


@contextmanager
def writing(
    folder: Path, *, level: str, console: str, secrets: Collection[str] = ()
) -> Iterator[None]:
    """Log to *folder* from *level* up, and to stderr from *console* up, until the block ends."""
    entries: queue.Queue[logging.LogRecord] = queue.Queue()
    handover = _Handover(entries, redactor(secrets))
    sinks = (_LogFile(folder), _StderrHandler(console.upper()))
    listener = QueueListener(entries, *sinks, respect_handler_level=True)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handover)
    root.setLevel(level.upper())
    for name in _CHATTERERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # A cycle still under way when the next is due is no news: the cursor makes up for it.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    _configure_structlog()
    listener.start()
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handover)
        root.setLevel(before)
        _end(listener)


def redactor(secrets: Collection[str]) -> Callable[[str], str]:
    """Return what masks *secrets*, as they are and as in a URL, and all Telegram tokens."""
    known = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    longest_first = sorted(known, key=len, reverse=True)
    alternatives = [*map(re.escape, longest_first), TELEGRAM_TOKEN.pattern]
    pattern = re.compile("|".join(alternatives), re.IGNORECASE)
    return lambda text: pattern.sub(MASK, text)


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a second desk in one process logs to its own folder
    )


def _end(listener: QueueListener) -> None:
    """Write what waits, unless the disk hangs: then the process ends without it."""

    def stop() -> None:
        listener.stop()
        for sink in listener.handlers:
            with suppress(OSError):  # what the disk does not take is lost, and was told
                sink.close()

    last = threading.Thread(target=stop, daemon=True)
    last.start()
    last.join(_FAREWELL)


class _Handover(QueueHandler):
    """From whoever logs to the writer's thread; only plain text crosses."""

    def __init__(
        self, entries: queue.Queue[logging.LogRecord], redact: Callable[[str], str]
    ) -> None:
        super().__init__(entries)
        self._entries = entries
        self._redact = redact
        self._dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        said = _said(record)
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": said.pop("event", ""),
            **said,
            "logger": record.name,
        }
        if self._dropped:
            entry["dropped_before"], self._dropped = self._dropped, 0
        plain = logging.makeLogRecord({"levelno": record.levelno, "levelname": record.levelname})
        plain.entry = _masked(entry, self._redact)
        return plain

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._entries.qsize() < WAITING:
            self._entries.put_nowait(record)
        else:
            self._dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """An entry that cannot be made into text is not worth a desk."""


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_entry(record), ensure_ascii=False)


class _OneLine(logging.Formatter):
    """`01:05:33 WARNING what happened key=value`; tracebacks stay in the file."""

    def format(self, record: logging.LogRecord) -> str:
        entry = _entry(record)
        at, level, event = entry.pop("at"), entry.pop("level"), entry.pop("event", "")
        trace = entry.pop("exception", "")
        entry.pop("logger")
        parts = [at[11:19], level.upper(), event, *(f"{k}={v}" for k, v in entry.items())]
        if trace:
            parts.append(f"({trace.rstrip().splitlines()[-1]})")
        return " ".join(" ".join(parts).split())


class _LogFile(RotatingFileHandler):
    def __init__(self, folder: Path) -> None:
        with suppress(OSError):  # told with the first entry that cannot be written
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(
            folder / FILE,
            maxBytes=SIZE,
            backupCount=FILES - 1,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self.setFormatter(_JsonLines())
        self._folder = folder
        self._complained = False

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and not self._is_there(self.stream.fileno()):
            with suppress(OSError):
                self.close()  # what is open anew is opened by the next entry: this one
            _complain(f"The log {self.baseFilename} was taken away; a new one is begun.")
        if self.stream is None:
            with suppress(OSError):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().emit(record)

    def _is_there(self, handle: int) -> bool:
        """Somebody may have removed or moved it: what is written then is read by nobody."""
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(handle))
        except OSError:
            return False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        if not self._complained:
            self._complained = True
            _complain(f"The log {self.baseFilename} cannot be written: {sys.exc_info()[1]}")


class _StderrHandler(logging.Handler):
    """Stderr as it is at that moment: a prompt puts itself in its place."""

    def __init__(self, level: str) -> None:
        super().__init__(level)
        self.setFormatter(_OneLine())

    def emit(self, record: logging.LogRecord) -> None:
        if not _entry(record).get(TOLD):
            _complain(self.format(record))


def _complain(line: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads stderr any more
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _said(record: logging.LogRecord) -> Entry:
    if isinstance(record.msg, dict):  # by structlog, exceptions already in words
        return dict(record.msg)
    said: Entry = {"event": record.getMessage()}
    if record.exc_info:
        said["exception"] = logging.Formatter().formatException(record.exc_info)
    return said


def _masked(value: Any, redact: Callable[[str], str]) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {redact(str(k)): _masked(v, redact) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(item, redact) for item in value]
        case _:
            return redact(str(value))


def _entry(record: logging.LogRecord) -> Entry:
    return dict(getattr(record, "entry", {}))
