"""Two traders in one process, as an operator runs them: told apart, limited together, restarted."""

from __future__ import annotations

import json

import pytest

from tests.chatbot.test_side_by_side import TWO
from tests.process.conftest import NewDesk
from tests.process.desk_process import DeskProcess

pytestmark = pytest.mark.slow  # each starts a desk or two

SPEED = "QUARTERDECK__FEEDS__CRASH__SPEED"


def start(desk: DeskProcess) -> DeskProcess:
    """Start it, and wait until both have compared their books."""
    desk.start()
    for name in ("majors", "minors"):
        desk.until(
            lambda name=name: "Starting" not in str(desk.say(f"/status trader={name}")),  # type: ignore[misc]  # bound now
            f"{name} is ready",
        )
    return desk


def test_they_are_told_apart_and_a_restart_keeps_both(new_desk: NewDesk) -> None:
    desk = start(new_desk(TWO, **{SPEED: "0.001"}))

    assert all(name in str(desk.say("/status")) for name in ("majors", "minors"))
    assert desk.do("/buy BTC 400")["outcome"] == "done"
    assert desk.do("/buy XRP 400")["outcome"] == "done"
    desk.say("/stop trader=minors")
    assert desk.say("/buy ADA 400")["outcome"] == "refused"
    desk.kill()

    start(desk)

    assert "BTC long" in str(desk.say("/status trader=majors"))
    minors = str(desk.say("/status trader=minors"))
    assert "XRP long" in minors
    assert "Halted" in minors
    assert "Halted" not in desk.say("/status trader=majors")["title"]
    assert desk.say("/stop")["title"].startswith("■ Stopped all 2 traders")
    assert "Halted" in desk.say("/status trader=majors")["title"]
    assert desk.terminate() == 0


def test_a_damaged_book_of_one_keeps_the_other_from_nothing(new_desk: NewDesk) -> None:
    desk = start(new_desk(TWO, **{SPEED: "0.001"}))
    assert desk.do("/buy XRP 400")["outcome"] == "done"
    desk.kill()
    book = desk.state / "paper-minors.journal"
    whole = book.read_bytes()
    book.write_bytes(b"coffee\n" + whole)

    start(desk)

    desk.until(
        lambda: "Not started" in desk.say("/status trader=minors")["title"], "it says why it waits"
    )
    assert "is corrupt" in str(desk.say("/status trader=minors"))
    assert desk.say("/buy ADA 400")["outcome"] == "refused"
    assert desk.do("/buy BTC 400")["outcome"] == "done"
    assert "minors needs you" in desk.say("/status")["title"]

    book.write_bytes(whole)
    desk.until(lambda: "Not started" not in desk.say("/status trader=minors")["title"], "it starts")
    assert desk.do("/buy ADA 400")["outcome"] == "done"


def test_what_people_asked_for_outlives_a_kill_and_figures_are_left_behind(
    new_desk: NewDesk,
) -> None:
    desk = start(new_desk(TWO, **{SPEED: "0.001"}))
    assert desk.say("/alerts mute stop moved")["outcome"] == "done"
    assert desk.say("/notify BTC above 900000")["outcome"] == "done"
    desk.kill()

    start(desk)

    assert "Muted: stop moved." in desk.say("/alerts")["text"]
    assert "BTC above 900,000" in desk.say("/notify")["text"]
    assert desk.say("/alerts last 3")["title"].startswith("Last ")
    assert desk.terminate() == 0
    figures = json.loads((desk.state / "metrics.json").read_text())
    assert set(figures["traders"]) == {"majors", "minors"}
    assert figures["health"]["store"] is True
    assert figures["desk"]["timings_ms"]["history"]["count"] > 0
