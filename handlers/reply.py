"""What the desk says, before any face decides how it looks."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from handlers.chart import Chart, chart_from_dict, chart_to_dict
from handlers.format import old

LABEL_LIMIT, COMMAND_BYTES = 20, 64
"""Ours, inside what Telegram (64 bytes) and Discord (80 and 100 characters) allow."""


class Level(IntEnum):
    INFO = 10
    NOTICE = 20
    URGENT = 30
    CRITICAL = 40


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    """We decided not to act."""
    CONFIRM = "confirm"
    """Nothing was sent yet; a confirmation is asked for."""
    FAILED = "failed"
    """Something broke, on our side or the venue's."""


class Priority(IntEnum):
    """What goes out first where a chat takes only so much: the highest."""

    LOOK = 0
    """What was looked at, and what was refused: it can be asked again."""
    NEWS = 10
    """Alerts of no urgency, and reports of what was done."""
    QUESTION = 20
    """What waits for a yes or no, and what became of that."""
    URGENT = 30
    CRITICAL = 40
    STOP = 50
    """The answer to who stops or pauses."""


_BY_LEVEL = {
    Level.INFO: Priority.NEWS,
    Level.NOTICE: Priority.NEWS,
    Level.URGENT: Priority.URGENT,
    Level.CRITICAL: Priority.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A button.  Pressing it is exactly the same as typing `command`."""

    label: str
    command: str

    def __post_init__(self) -> None:
        if len(self.label) > LABEL_LIMIT or len(self.command.encode()) > COMMAND_BYTES:
            raise ValueError(f"a button is too long: {self}")


def offer(label: str, command: str) -> tuple[Choice, ...]:
    """One button, its label clipped; none if the command is too long to stand behind one."""
    if len(command.encode()) > COMMAND_BYTES:
        return ()
    clipped = label if len(label) <= LABEL_LIMIT else f"{label[: LABEL_LIMIT - 1]}…"
    return (Choice(clipped, command),)


@dataclass(frozen=True, slots=True)
class Column:
    title: str = ""
    right: bool = True
    """Numbers stand right, words left."""
    gap: int = 2
    """Spaces before it; the first column has none."""


@dataclass(frozen=True, slots=True)
class Table:
    """Fixed width; at most 32 columns wide and 8 rows, then pages."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """Shown in this order: title, lead, table, text, choices.

    In `lead` and `text` the mark `{age}` stands for the age of `as_of`: each face writes it in its
    own way (Telegram and Discord count on by themselves).
    """

    title: str
    lead: str = ""
    table: Table | None = None
    text: str = ""
    choices: tuple[Choice, ...] = ()
    level: Level = Level.INFO
    outcome: Outcome = Outcome.DONE
    as_of: datetime | None = None
    """When the figures were true (wall time); None if it shows none."""
    reference: str = ""
    """Finds the traceback in the log; only of what broke."""
    story: str = field(default="", compare=False)
    """Messages of one story replace each other where a face can edit; as in `H17`."""
    chart: Chart | None = None
    """Faces with pictures draw it; title and prose tell its facts."""
    then: Callable[[], Awaitable[Reply | None]] | None = field(default=None, compare=False)
    """Waits for what takes this message's place next: a later stage, a live message's next look.

    None: nothing more comes.  Faces that cannot edit leave it alone.
    """
    asked: Priority | None = field(default=None, compare=False)
    """What weight the question gives it; None: nobody asked, its level does."""
    withheld: bool = field(default=False, compare=False)
    """A refusal like one that this person was told lately: it costs the chat no message.

    Where an answer costs none (a toast, a socket) it is told all the same.
    """

    asks: bool = False
    """A refusal that asks which of its choices was meant: without them it leads nowhere."""

    spent: bool = field(default=False, compare=False)
    """It refuses a code that nobody can use any more: the buttons that carry it may go."""

    @property
    def priority(self) -> Priority:
        """When it goes out, among all that waits for the same chat."""
        return _BY_LEVEL[self.level] if self.asked is None else self.asked

    @property
    def prose(self) -> str:
        return "\n".join(part for part in (self.lead, self.text) if part)


def weighed(reply: Reply, priority: Priority) -> Reply:
    """*reply*, and every stage that takes its place, with the weight of what was asked."""
    then = reply.then
    if then is None:
        return replace(reply, asked=priority)

    async def next_stage() -> Reply | None:
        later = await then()
        return later and weighed(later, priority)

    return replace(reply, asked=priority, then=next_stage)


VERSION = 1
_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?")


def to_json(reply: Reply) -> str:
    """The one machine-readable form: control socket, `say --json`, outbox, later HTTP."""
    table = reply.table and {
        "columns": [c.title for c in reply.table.columns],
        "rows": [[_plain(cell) for cell in row] for row in reply.table.rows],
    }
    return json.dumps(
        {
            "v": VERSION,
            "outcome": reply.outcome.value,
            "title": reply.title,
            "text": _dated(reply),
            "table": table,
            "choices": [{"label": c.label, "command": c.command} for c in reply.choices],
            "level": reply.level.name.lower(),
            "as_of": reply.as_of.isoformat() if reply.as_of else None,
            "reference": reply.reference or None,
            "chart": reply.chart and chart_to_dict(reply.chart),
        },
        ensure_ascii=False,
    )


def _plain(cell: str) -> str:
    """A number without its dress: `+2,754.36` is `2754.36` to a machine; words stay."""
    return cell.replace(",", "").removeprefix("+") if _NUMBER.fullmatch(cell) else cell


def _dated(reply: Reply) -> str:
    """A machine reads ages from `as_of`; its text names the moment."""
    moment = f"as of {reply.as_of:%H:%M:%S} UTC" if reply.as_of else old(None)
    return reply.prose.replace("{age}", moment)


def dump(reply: Reply) -> str:
    """Everything, so that `load` gives the same reply back: how alerts wait in the outbox."""
    columns = reply.table and [[c.title, c.right, c.gap] for c in reply.table.columns]
    return _compact(
        {
            "title": reply.title,
            "lead": reply.lead,
            "columns": columns,
            "rows": reply.table and reply.table.rows,
            "text": reply.text,
            "choices": [[c.label, c.command] for c in reply.choices],
            "level": int(reply.level),
            "outcome": reply.outcome.value,
            "as_of": reply.as_of.isoformat() if reply.as_of else None,
            "reference": reply.reference,
            "story": reply.story,
            "chart": reply.chart and chart_to_dict(reply.chart),
        }
    )


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def load(text: str) -> Reply:
    raw: dict[str, Any] = json.loads(text)
    return Reply(
        title=raw["title"],
        lead=raw["lead"],
        table=_table(raw["columns"], raw["rows"]),
        text=raw["text"],
        choices=tuple(Choice(label, command) for label, command in raw["choices"]),
        level=Level(raw["level"]),
        outcome=Outcome(raw["outcome"]),
        as_of=datetime.fromisoformat(raw["as_of"]) if raw["as_of"] else None,
        reference=raw["reference"],
        story=raw["story"],
        chart=chart_from_dict(raw["chart"]) if raw.get("chart") else None,
    )


def _table(
    columns: Sequence[Sequence[Any]] | None, rows: Sequence[Sequence[str]] | None
) -> Table | None:
    if columns is None or rows is None:
        return None
    return Table(tuple(Column(*c) for c in columns), tuple(tuple(row) for row in rows))
