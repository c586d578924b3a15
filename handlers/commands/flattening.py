"""`/flatten`: the question before it, and how far the closes are."""

from __future__ import annotations

from handlers.confirmations import CANCEL, CONFIRM
from handlers.reply import Choice, Column, Reply
from handlers.texts.flattening import close_rows, worth
from handlers.texts.phrases import (
    LOOK,
    apart_notes,
    count_entries,
    counted,
    entries,
    price_time,
    whom,
)
from handlers.texts.screen import a_table, fitting
from trading.accounts.views import View

ONLY = 1
"""Line that a question ends with, as in `Only ben, here, for 60 s.`"""
_CLOSE_COLUMNS = (Column(right=False), Column(gap=1), Column(), Column())


def flatten_question(view: View) -> Reply:
    held = view.holdings
    if not held:
        waiting = len(entries(view.orders))
        resting = f"{count_entries(waiting)} would be cancelled" if waiting else "No entry rests"
        nothing = "Nothing of ours is proven open" if view.unproven else "Nothing is open"
        doubt = f"\nIt will not be called flat: {view.unproven}." if view.unproven else ""
        return Reply(
            f"{LOOK} Stop {whom(view.name, view.mode)}? {nothing}",
            text=f"{resting}; entries stay blocked.{doubt}",
            choices=(Choice("Cancel", CANCEL), Choice("Flatten", CONFIRM)),
            as_of=view.as_of,
        )
    return fitting(lambda rows: _flatten_question(view, rows), len(held), spare=ONLY)


def _flatten_question(view: View, rows: int) -> Reply:
    count = len(counted(view))
    return Reply(
        f"{LOOK} Close all of {whom(view.name, view.mode)} at market?",
        table=a_table(_CLOSE_COLUMNS, close_rows(view.holdings, rows)),
        text="\n".join([worth(view), *apart_notes(view), THEN]),
        choices=(Choice("Cancel", CANCEL), Choice(f"Close {count} now", CONFIRM)),
        as_of=price_time(view, counted(view)),
    )


THEN = "Protective stops go once flat; entries stay blocked."
