"""The live message: the status, edited for an hour where messages can be edited."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from handlers.command import command
from handlers.commands.status import current
from handlers.context import Context
from handlers.format import minute
from handlers.in_place import Watch
from handlers.reply import Choice, Level, Outcome, Reply
from handlers.texts.phrases import REFUSED
from trading.clocks import Clock
from trading.common.tasks import set_within

log = logging.getLogger(__name__)

EVERY = 10
"""Seconds between two edits."""
LIFETIME = timedelta(hours=1)

_END = (Choice("End watch", "/watch off"), Choice("Stop", "/stop"))


@command(family="Look", rank=51)
async def watch(ctx: Context, end: Literal["off"] | None = None) -> Reply:
    """The status as one live message, edited for an hour.

    One in each chat: a newer one replaces it. `/watch off` ends it at once. After a restart of the
    desk it stands still; its time tells.
    end: `off` ends the live message of this chat
    """
    chat = ctx.caller.chat
    if end is not None:
        ctx.services.watches.end(chat)
        return current(ctx)
    if not ctx.caller.edits:
        return _no_edits()
    return _live(ctx, ctx.services.watches.begin(chat, ctx.services.clock.now() + LIFETIME))


def _no_edits() -> Reply:
    return Reply(
        f"{REFUSED} No live message here: nothing is edited",
        text="/status shows it once. Nothing was sent.",
        choices=(Choice("Status", "/status"),),
        level=Level.NOTICE,
        outcome=Outcome.REFUSED,
    )


def _live(ctx: Context, watch: Watch) -> Reply:
    async def then() -> Reply:
        await _pause(ctx.services.clock, watch)
        if watch.ended.is_set() or ctx.services.clock.now() >= watch.until:
            ctx.services.watches.over(ctx.caller.chat, watch)
            return current(ctx)
        return _live(ctx, watch)

    line = f"Live until {minute(watch.until)}, edited every {EVERY}\u00a0s"

    def dressed(reply: Reply) -> Reply:
        text = f"{reply.text}\n{line}" if reply.text else line
        return replace(reply, text=text, choices=_END, then=then)

    try:
        return current(ctx, dressed=dressed)
    except Exception:
        # The next look may succeed; a live message that stands still would look true.
        log.exception("a live message could not be made")
        return dressed(Reply("⚠ Status unknown: it could not be made", level=Level.URGENT))


async def _pause(clock: Clock, watch: Watch) -> None:
    """Until the next edit is due, or the watch has ended."""
    left = max(0.0, (watch.until - clock.now()).total_seconds())
    await set_within(clock, min(EVERY, left), watch.ended)
