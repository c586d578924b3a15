"""Plain text: what a terminal shows, and what every face may fall back on.

Control characters never pass: some of the words are a venue's or a stranger's, and a terminal
would obey them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chatbot.render.sparkline import sparkline
from handlers.format import clock_time, old
from handlers.reply import Choice, Column, Reply, Table

AGE = "{age}"
INDENT = "  "


def plain(reply: Reply, *, now: datetime) -> str:
    """Everything, one line per choice: `  Positions: /positions`."""
    buttons = [f"{INDENT}{clean(button(choice))}" for choice in reply.choices]
    return "\n".join([clean(reply.title), *body(reply, now=now), *buttons])


def body(reply: Reply, *, now: datetime) -> list[str]:
    """What stands between the title and the choices, line by line."""
    return [
        *_prose(reply.lead, reply.as_of, now),
        *(table_lines(reply.table) if reply.table else ()),
        *([INDENT + sparkline(reply.chart.line)] if reply.chart else ()),
        *_prose(reply.text, reply.as_of, now),
    ]


def line(reply: Reply, *, at: datetime) -> str:
    """One line where there is no terminal: `20:41:09 NOTICE Closed SOL ...`."""
    return f"{clock_time(at)} {reply.level.name} {title(reply)}"


def title(reply: Reply) -> str:
    return clean(reply.title.replace("\n", " "))


def button(choice: Choice) -> str:
    return f"{choice.label}: {choice.command}"


def numbered(choices: Sequence[Choice]) -> str:
    """The choices on one line, to be pressed by number: `1 Positions  2 Pause  3 Stop`."""
    return INDENT.join(f"{n} {clean(choice.label)}" for n, choice in enumerate(choices, 1))


def table_lines(table: Table) -> list[str]:
    """Fixed width, indented; a header only if a column has a title."""
    header = tuple(column.title for column in table.columns)
    grid = [tuple(map(clean, row)) for row in ([header] if any(header) else []) + [*table.rows]]
    widths = [max(map(len, cells)) for cells in zip(*grid, strict=True)]
    return [INDENT + _row(table.columns, widths, row) for row in grid]


def _row(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    text = ""
    for column, width, cell in zip(columns, widths, cells, strict=True):
        text += " " * column.gap if text else ""
        text += cell.rjust(width) if column.right else cell.ljust(width)
    return text.rstrip()


def _prose(text: str, as_of: datetime | None, now: datetime) -> list[str]:
    if AGE in text:
        text = text.replace(AGE, old(now - as_of if as_of else None))
    return clean(text).split("\n") if text else []


_OBEYED = (
    range(0x20),
    range(0x7F, 0xA0),
    (0xAD, 0xFEFF),
    range(0x200B, 0x2010),
    range(0x202A, 0x202F),
    range(0x2060, 0x2070),
    range(0xD800, 0xE000),
)
"""Control characters (C0, C1), and marks that are not seen: some turn the direction of writing.

Halves of characters too, as a venue's JSON may carry them: no chat takes any.
"""
_KEPT = {ord("\n"): "\n", ord("\t"): " "}
_CLEAN = {code: _KEPT.get(code, "") for codes in _OBEYED for code in codes}


def clean(text: str) -> str:
    return text.translate(_CLEAN)
