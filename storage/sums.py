"""The sums of days as a note, so that a start needs to add up only what came after it.

A trade is never changed nor taken away, and the next one has a higher `seq`: what was summed up to
one trade stays true as long as that trade is the one that the note names.  Money stands as text
and is exact, so that a sum of sums equals the sum of all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any

from trading.stats.daybook import DayBook
from trading.stats.tally import Breakdown, Tally

NOTE = "day_sums"

Last = tuple[str, str, str]
"""Of a trade: trader, id, closed_at, as they stand in the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The books of all traders, without equity, up to one trade."""

    zone: str
    seq: int
    last: Last
    books: Mapping[str, DayBook]

    def dumped(self) -> str:
        books = {
            trader: [_plain(book.all_time), {str(d): _plain(b) for d, b in book.trades.items()}]
            for trader, book in self.books.items()
        }
        return json.dumps([self.zone, self.seq, self.last, books], separators=(",", ":"))


def loaded(text: str, zone: tzinfo) -> Kept | None:
    """None if it is not by days of *zone*, or is no such note."""
    try:
        name, seq, last, books = json.loads(text)
        if name != str(zone):
            return None
        return Kept(
            zone=name,
            seq=int(seq),
            last=(last[0], last[1], last[2]),
            books={
                trader: DayBook(
                    zone=zone,
                    all_time=_breakdown(total),
                    trades={date.fromisoformat(d): _breakdown(b) for d, b in days.items()},
                )
                for trader, (total, days) in books.items()
            },
        )
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError):
        return None


def _plain(sums: Breakdown) -> list[dict[str, list[Any]]]:
    return [
        {name: _fields(tally) for name, tally in part.items()}
        for part in (sums.symbols, sums.reasons)
    ]


def _fields(tally: Tally) -> list[Any]:
    money = (tally.won, tally.lost, tally.fees, tally.best, tally.worst)
    texts = [None if value is None else str(value) for value in money]
    return [tally.trades, tally.wins, tally.losses, *texts]


def _breakdown(parts: list[dict[str, list[Any]]]) -> Breakdown:
    symbols, reasons = ({name: _tally(*f) for name, f in part.items()} for part in parts)
    return Breakdown(symbols, reasons)


def _tally(trades: int, wins: int, losses: int, *money: str | None) -> Tally:
    won, lost, fees, best, worst = money
    return Tally(
        trades=trades,
        wins=wins,
        losses=losses,
        won=Decimal(won or 0),
        lost=Decimal(lost or 0),
        fees=Decimal(fees or 0),
        best=None if best is None else Decimal(best),
        worst=None if worst is None else Decimal(worst),
    )
