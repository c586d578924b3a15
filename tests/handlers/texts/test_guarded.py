"""What is said of a stop is what rests in fact: by every answer, and by /status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handlers.commands.positions import position_reply
from handlers.reply import Level
from handlers.texts.positions import closed_reply, positions_reply
from handlers.texts.status import one
from tests.handlers.story import HOLDINGS, NOW, RULES, SOL, D, a_halt, checked, sold, the_view
from trading.accounts.views import View
from trading.model.cover import Cover
from trading.model.halt import Reached, Stage, Verb


def kept(**cover: Any) -> View:
    """SOL as it is after a close: *cover* is what rests in fact."""
    at_venue = not cover
    held = replace(HOLDINGS[2], stop_on_venue=at_venue, cover=Cover(**cover))
    return the_view(holdings=(*HOLDINGS[:2], held))


STOPS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "stop 187.20 resized, venue confirmed.", ""),
    (
        {"bare_since": NOW.replace(second=5), "why": "Filter failure: LOT_SIZE"},
        "No stop rests since 20:41:05 UTC: Filter failure: LOT_SIZE.",
        "The desk watches 187.20 itself, and tries again.",
    ),
    (
        {"in_doubt": True},
        "The venue has not answered about its stop.",
        "The desk watches 187.20 itself, and asks.",
    ),
    (
        {"quantity": D("0.90"), "price": D("180.00"), "why": "Reach max stop order limit."},
        "Its old stop 180.00 rests: Reach max stop order limit.",
        "The desk watches 187.20 itself, and tries again.",
    ),
    (
        {"quantity": D("0.40"), "price": D("187.20"), "why": "insufficient balance"},
        "A stop rests for 0.40 of 1.80 only: insufficient balance.",
        "The desk watches 187.20 itself, and tries again.",
    ),
]


@pytest.mark.parametrize(("cover", "rests", "watched"), STOPS)
def test_a_close_tells_what_rests_for_the_rest(
    cover: dict[str, Any], rests: str, watched: str
) -> None:
    """Never what was meant to rest."""
    reply = checked(closed_reply(sold(), kept(**cover), RULES[SOL]))

    assert f"{rests} {watched}".strip() in reply.text
    assert reply.text.startswith("Done: 0.90 stays")
    assert reply.level is (Level.URGENT if cover else Level.INFO)


@pytest.mark.parametrize(("cover", "rests", "watched"), STOPS[1:])
def test_whatever_is_asked_tells_the_same_of_it(
    cover: dict[str, Any], rests: str, watched: str
) -> None:
    """Of each way in which a stop can be missing."""
    view, told = kept(**cover), f"{rests} {watched}"
    lower = f"SOL: {rests[0].lower()}{rests[1:]}"

    assert told in checked(position_reply(view, SOL)).text
    assert lower in checked(positions_reply(view, 1)).text
    status = checked(one(view))
    assert lower in status.lead
    assert "nothing needs you" not in status.title
    assert "SOL" in status.title
    unknown = sold(known=False, quantity=D("0"), price=None, profit=None)
    assert told in checked(closed_reply(unknown, view, RULES[SOL])).text
    not_closed = sold(quantity=D("0"), price=None, profit=None, problem="no")
    assert told in checked(closed_reply(not_closed, view, RULES[SOL])).text


def test_status_names_whatever_is_critical_and_still_so() -> None:
    """Positions without a stop, books that differ, a flatten that cannot end."""
    bare = kept(bare_since=NOW, why="no").holdings
    both = replace(bare[1], stop_on_venue=False, cover=Cover(bare_since=NOW, why="no"))
    view = the_view(holdings=(bare[0], both, bare[2]))
    assert "ETH and SOL unprotected" in checked(one(view)).title

    why = "BTC: 1 at the venue is not ours"
    differs = the_view(blocked=why, rest=why)
    assert f"no entries: {why}" in checked(one(differs)).title

    reached = Reached(stage=Stage.FLAT_BLOCKED, at=NOW, note="SOL: market is closed")
    halt = a_halt(
        verb=Verb.FLATTEN,
        stages=(("majors", reached),),
    )
    assert "Not flat: SOL: market is closed." in checked(one(the_view(halts=(halt,)))).lead


@pytest.mark.parametrize(
    ("covered", "told"),
    [
        ("1.80", "stop 187.20 resized, venue confirmed."),
        ("1.799", "stop 187.20 resized, venue confirmed."),
        ("1.5", "stop 187.20 rests for 1.5. Not done: 0.3 is less than one lot, 0.5: no stop"),
        ("1.5", "covers it."),
    ],
)
def test_what_no_stop_can_cover_is_told_unless_it_is_a_crumb(covered: str, told: str) -> None:
    """Of 1.80 SOL: lots have grown to half a coin."""
    held = replace(
        HOLDINGS[2],
        rules=replace(HOLDINGS[2].rules, lot=D("0.5")),
        cover=Cover(quantity=D(covered), price=D("187.20")),
    )
    view = the_view(holdings=(*HOLDINGS[:2], held))

    assert told in closed_reply(sold(), view, RULES[SOL]).text
    looked_at = checked(position_reply(view, SOL)).text
    assert ("no stop covers it" in looked_at) is (covered == "1.5")
