"""`/status` fits on a phone: found in a few drafts, the same as if every draft were looked at."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from handlers.reply import Reply
from handlers.texts.screen import LINES, TABLE_ROWS, lines
from handlers.texts.status import FEW, _Drafts, one
from tests.builders import a_holding, a_position, a_view
from trading.accounts.views import View
from trading.types import Symbol

CLAUSES = st.sampled_from(["", "books differ", "what is open there is not what is open here " * 4])


@st.composite
def views(draw: st.DrawFn) -> View:
    names = [f"S{number:03}" for number in range(draw(st.integers(0, 14)))]
    held = [
        a_holding(
            position=a_position(symbol=Symbol(name, "USDT")),
            stale=draw(st.booleans()),
            stop_on_venue=draw(st.booleans()),
        )
        for name in names
    ]
    return a_view(
        holdings=tuple(held),
        blocked=draw(CLAUSES),
        rest=draw(CLAUSES),
        delayed=draw(CLAUSES),
        ready=draw(st.booleans()),
    )


@given(views(), st.integers(0, 9), st.dictionaries(st.sampled_from("ABCDEF"), st.text(max_size=90)))
def test_a_status_is_the_largest_draft_that_fits(
    view: View, more: int, chats: dict[str, str]
) -> None:
    def addressed(reply: Reply) -> Reply:
        return replace(reply, text=reply.text + "\nOnly ben, here." * more)

    drafts = _Drafts(view, chats)
    most = min(len(view.holdings), TABLE_ROWS)
    least = min(most, FEW)
    sizes = [(rows, 0) for rows in range(most, least, -1)]
    sizes += [(least, spared) for spared in range(3)]
    sizes += [(rows, 2) for rows in range(least - 1, 0, -1)]
    all_of_them = [addressed(drafts.of(*size)) for size in (*sizes, (min(least, 1), 3))]
    fitting = [reply for reply in all_of_them if lines(reply) <= LINES]

    assert one(view, addressed, chats) == (fitting or all_of_them[-1:])[0]
