"""Looking after the desk: settings, people, log, audit, backup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from handlers.caller import Role
from handlers.command import Page, Range, command
from handlers.context import Context, Person
from handlers.format import clock_time, plural
from handlers.reply import Choice, Column, Level, Outcome, Reply
from handlers.texts.phrases import DONE, REFUSED, clipped
from handlers.texts.screen import TABLE_ROWS, a_table
from trading.common.text import one_line
from trading.errors import Refused, SettingsError
from trading.ports import AuditEntry

Count = Annotated[int, Range(1, 50)]
_STATUS = Choice("Status", "/status")
_SHOWN = 6
"""Log lines and words that fit on one screen; more are given on demand."""


@command(role=Role.OWNER, family="Desk", rank=40)
async def config(ctx: Context, page: Page = 1) -> Reply:
    """Every setting in force, secrets masked.

    page: 8 settings each
    """
    return config_reply(ctx.services.administration.settings(), page)


@command(family="Desk", rank=50)
async def who(ctx: Context) -> Reply:
    """Who may command this desk, and in which role."""
    return who_reply(ctx.services.administration.people())


@command(role=Role.OWNER, family="Desk", rank=60)
async def log(ctx: Context, n: Count = 6) -> Reply:
    """The newest lines of the log.

    n: how many
    """
    return log_reply(await ctx.services.administration.log(n))


@command(role=Role.OWNER, family="Desk", rank=70)
async def audit(ctx: Context, n: Count = 6) -> Reply:
    """What was said to the desk lately, by whom, and the answer.

    n: how many
    """
    return audit_reply(await ctx.services.store.audit(limit=n))


@command(role=Role.OWNER, family="Desk", rank=80, loosens=True, at_once=True)
async def reload(ctx: Context) -> Reply:
    """Read bot.toml again; nothing changes if there is a mistake in it."""
    try:
        changes = await ctx.services.administration.reload(by=ctx.caller.signature)
    except SettingsError as error:
        return refused_settings(error.mistakes)
    return reloaded(changes)


@command(role=Role.OWNER, family="Desk", rank=90, acts=True)
async def backup(ctx: Context) -> Reply:
    """Copy the history to a file beside it; trading goes on."""
    made = await ctx.services.administration.backup()
    return Reply(
        f"{DONE} Backed up to {made.name}",
        text=f"A desk that starts on a backup starts halted.{_went(made.removed)} Nothing was "
        "sent.",
        choices=(_STATUS,),
        level=Level.NOTICE,
    )


# -- what is said -------------------------------------------------------------------------


def config_reply(settings: Sequence[tuple[str, str]], page: int) -> Reply:
    shown = settings[(page - 1) * TABLE_ROWS : page * TABLE_ROWS]
    if not shown:
        raise Refused(f"There is no page {page}: {plural(len(settings), 'setting')}")
    more = len(settings) > page * TABLE_ROWS
    return Reply(
        f"{plural(len(settings), 'setting')} in force",
        text="\n".join(f"{key} = {value}" for key, value in shown),
        choices=((Choice("More", f"/config {page + 1}"),) if more else ()) + (_STATUS,),
    )


def who_reply(people: Sequence[Person]) -> Reply:
    rows = [(p.name, p.role.name.lower(), p.place) for p in people[:TABLE_ROWS]]
    left = Column(right=False)
    return Reply(
        f"{plural(len(people), 'person', 'people')} may command this desk",
        table=a_table((left, left, left), rows),
        choices=(_STATUS,),
    )


def log_reply(lines: Sequence[str]) -> Reply:
    return Reply(
        f"Last {plural(len(lines), 'line')} of the log" if lines else "The log is empty",
        text="\n".join(map(one_line, lines)),
        choices=(_STATUS,),
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
        choices=(_STATUS,),
    )


def _went(removed: Sequence[str]) -> str:
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
        return Reply("Settings read again, nothing changed", choices=(_STATUS,))
    return Reply(
        f"{DONE} Settings reloaded: {plural(len(changes), 'change')}",
        text="\n".join([*changes, "For new entries; open positions keep their plans."]),
        choices=(_STATUS,),
        level=Level.NOTICE,
    )
