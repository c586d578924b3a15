"""Which symbols a trader may enter, who is about to join or to leave, and why somebody is out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from handlers import traders
from handlers.command import Page, TraderName, command
from handlers.context import Context
from handlers.format import plural
from handlers.meaning import BadUsage
from handlers.reply import Choice, Column, Reply
from handlers.texts.phrases import mode
from handlers.texts.screen import TABLE_ROWS, a_table
from handlers.texts.universe import (
    UNIVERSE,
    fixed_reply,
    member_rows,
    outsider_rows,
    universe_reply,
)
from trading.accounts.views import View

Part = Literal["all", "in", "out"]
_IN = (Column(right=False), Column("tier", gap=1), Column("volume"), Column("spread bps"))
_OUT = (Column(right=False), Column("why", right=False))


@command(family="Look", rank=79, example="out")
async def universe(
    ctx: Context, part: Part = "all", page: Page = 1, *, trader: TraderName
) -> Reply:
    """Which symbols a trader may enter, who joins or leaves soon, and why others are out.

    part: all is the overview, in and out are lists
    page: of a list, 1 being the first
    """
    view = traders.view_of(ctx, trader)
    found = ctx.services.desk.traders[trader].universe.found
    if found is None:
        reply = fixed_reply(view, ctx.services.desk.traders[trader].symbols)
    elif part == "all":
        reply = universe_reply(view, found)
    else:
        rows = member_rows(found) if part == "in" else outsider_rows(found)
        columns = _IN if part == "in" else _OUT
        reply = _list_reply(view, rows, columns, part, page)
    return traders.addressed(ctx, trader, reply)


def _list_reply(
    view: View, rows: Sequence[tuple[str, ...]], columns: Sequence[Column], part: str, page: int
) -> Reply:
    begin = (page - 1) * TABLE_ROWS
    shown = rows[begin : begin + TABLE_ROWS]
    if not shown and page > 1:
        raise BadUsage(f"There is no page {page}", (UNIVERSE,), usage=False)
    more = len(rows) > begin + TABLE_ROWS
    where = f", page {page}" if page > 1 else ""
    which = "in" if part == "in" else "outside"
    return Reply(
        f"{plural(len(rows), 'symbol')} {which} the universe {mode(view.mode)}{where}",
        table=a_table(columns, shown),
        choices=(
            *((Choice("More", f"/universe {part} {page + 1}"),) if more else ()),
            UNIVERSE,
        ),
        as_of=view.as_of,
    )
