"""Where orders go: each venue of the settings, and how it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handlers.command import Page, command
from handlers.context import Context, VenueSummary
from handlers.format import clock_time, plural
from handlers.reply import Choice, Reply
from trading.errors import Refused

STATUS = Choice("Status", "/status")
SHOWN = 2
"""On one page."""


@command(family="Look", rank=80)
async def venues(ctx: Context, page: Page = 1) -> Reply:
    """Each venue: its exchange and market, what it is used and offered for, and how it is proven.

    page: 2 venues each
    """
    return venues_reply(ctx.services.administration.venues(), page)


def venues_reply(venues: Sequence[VenueSummary], page: int) -> Reply:
    shown = venues[(page - 1) * SHOWN : page * SHOWN]
    if not shown:
        raise Refused(f"There is no page {page}: {plural(len(venues), 'venue')}")
    more = len(venues) > page * SHOWN
    return Reply(
        f"{plural(len(venues), 'venue')} in the settings",
        text="\n".join(line for venue in shown for line in _lines(venue)),
        choices=((Choice("More", f"/venues {page + 1}"),) if more else ()) + (STATUS,),
    )


def _lines(venue: VenueSummary) -> Iterator[str]:
    yield f"{venue.name}: {venue.place}, {venue.uses}"
    if venue.refuses_until is not None:
        yield f"Refuses us until {clock_time(venue.refuses_until)} UTC"
    if venue.offers:
        yield f"Offered: {', '.join(venue.offers)}"
    if venue.rests:
        yield f"Rests while the desk is down: {venue.rests}"
    if venue.proof:
        yield f"{venue.proof[0].upper()}{venue.proof[1:]}"
