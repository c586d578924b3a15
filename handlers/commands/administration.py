"""Looking after the desk: settings, people, log, audit, backup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from handlers.caller import Role
from handlers.command import Page, Range, command
from handlers.context import Context, Person
from handlers.format import plural
from handlers.reply import Column, Level, Reply
from handlers.texts.administration import (
    STATUS,
    audit_reply,
    config_reply,
    log_reply,
    refused_settings,
    reloaded,
    went,
)
from handlers.texts.phrases import DONE
from handlers.texts.screen import TABLE_ROWS, a_table
from trading.errors import SettingsError

Count = Annotated[int, Range(1, 50)]


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
        text=f"A desk that starts on a backup starts halted.{went(made.removed)} Nothing was sent.",
        choices=(STATUS,),
        level=Level.NOTICE,
    )


def who_reply(people: Sequence[Person]) -> Reply:
    rows = [(p.name, p.role.name.lower(), p.place) for p in people[:TABLE_ROWS]]
    left = Column(right=False)
    return Reply(
        f"{plural(len(people), 'person', 'people')} may command this desk",
        table=a_table((left, left, left), rows),
        choices=(STATUS,),
    )
