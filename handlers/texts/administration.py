"""How settings, people, log, audit and backups read."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.format import clock_time, plural
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.phrases import DONE, REFUSED, clipped
from handlers.texts.screen import TABLE_ROWS
from trading.common.text import one_line
from trading.errors import Refused
from trading.ports import AuditEntry

STATUS = Choice("Status", "/status")
_SHOWN = 6
"""Log lines and words that fit on one screen; more are given on demand."""


# -- what is said -------------------------------------------------------------------------


def config_reply(settings: Sequence[tuple[str, str]], page: int) -> Reply:
    shown = settings[(page - 1) * TABLE_ROWS : page * TABLE_ROWS]
    if not shown:
        raise Refused(f"There is no page {page}: {plural(len(settings), 'setting')}")
    more = len(settings) > page * TABLE_ROWS
    return Reply(
        f"{plural(len(settings), 'setting')} in force",
        text="\n".join(f"{key} = {value}" for key, value in shown),
        choices=((Choice("More", f"/config {page + 1}"),) if more else ()) + (STATUS,),
    )


def log_reply(lines: Sequence[str]) -> Reply:
    return Reply(
        f"Last {plural(len(lines), 'line')} of the log" if lines else "The log is empty",
        text="\n".join(map(one_line, lines)),
        choices=(STATUS,),
    )


def audit_reply(words: Sequence[AuditEntry]) -> Reply:
    said = [
        f"{clock_time(w.at)} {one_line(w.who).rpartition(' (')[0] or 'somebody'}: "
        f"{clipped(one_line(w.said), 30)} -> {clipped(one_line(w.answer), 40)}"
        for w in words
    ]
    return Reply(
        f"Last {plural(len(said), 'word')} said to the desk" if said else "Nothing was said yet",
        text="\n".join(["UTC, newest first", *said]) if said else "",
        choices=(STATUS,),
    )


def went(removed: Sequence[str]) -> str:
    if not removed:
        return ""
    gone = removed[0] if len(removed) == 1 else f"{len(removed)} of them, up to {removed[-1]}"
    return f" Removed, as the oldest: {gone}."


def refused_settings(mistakes: Sequence[str]) -> Reply:
    many = f"\nand {len(mistakes) - _SHOWN} more" if len(mistakes) > _SHOWN else ""
    return Reply(
        f"{REFUSED} Settings refused, the old ones hold",
        text="\n".join(mistakes[:_SHOWN]) + many,
        choices=(Choice("Again", "/reload"),),
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
    )


def reloaded(changes: Sequence[str]) -> Reply:
    if not changes:
        return Reply("Settings read again, nothing changed", choices=(STATUS,))
    return Reply(
        f"{DONE} Settings reloaded: {plural(len(changes), 'change')}",
        text="\n".join([*changes, "For new entries; open positions keep their plans."]),
        choices=(STATUS,),
        level=Level.NOTICE,
    )
