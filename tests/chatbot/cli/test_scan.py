"""What `quarterdeck scan --once` makes of a cycle."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from chatbot.cli.scan import as_lines, as_text, report_of
from tests.builders import NOON, a_decision, a_halt, a_holding, a_view
from trading.accounts.views import Cycle, Scan, View
from trading.types import Decision, Mode

TOOK = {"scan": 0.04}
REFUSED = a_decision(approved=False, reason="BTC is open already")


def seen(*decisions: Decision, triggers: int = 0) -> Scan:
    made = len(decisions)
    cycle = Cycle(at=NOON, seconds=0.04, bars=1, decisions=made, triggers=triggers)
    return Scan(cycle=cycle, decisions=decisions)


def test_the_report_has_the_keys_that_other_programs_read() -> None:
    view = a_view(mode=Mode.DRY_RUN, symbols=3)

    assert report_of(view, seen(), TOOK, traded=False) == {
        "status": "NO_TRADE",
        "mode": "DRY_RUN",
        "universe_size": 3,
        "triggers_detected": 0,
        "proposals_generated": 0,
        "portfolio": {"account_value_usd": 10000.0, "open_positions": 0, "trades_today": 0},
        "durations": TOOK,
    }


def test_triggers_proposals_and_entries_are_three_things() -> None:
    view = a_view(holdings=(a_holding(),), trades_today=4)
    report = report_of(view, seen(a_decision(), REFUSED, triggers=5), TOOK, traded=True)

    assert (report["triggers_detected"], report["proposals_generated"]) == (5, 2)
    assert report["portfolio"]["open_positions"] == 1
    assert report["portfolio"]["trades_today"] == 4


@pytest.mark.parametrize(
    ("scan", "view", "traded", "status"),
    [
        (seen(a_decision()), a_view(), False, "TRADE"),
        (seen(), a_view(), True, "TRADE"),
        (seen(), a_view(halts=(a_halt(),)), True, "TRADE"),
        (seen(REFUSED, triggers=1), a_view(), False, "NO_TRADE"),
        (seen(), a_view(halts=(a_halt(),)), False, "HALTED"),
        (Scan(cycle=None, decisions=(), problem="no prices"), a_view(), False, "FAILED"),
    ],
    ids=["entered", "left", "left while halted", "refused", "halted", "failed"],
)
def test_the_status_says_what_came_of_it(scan: Scan, view: View, traded: bool, status: str) -> None:
    assert report_of(view, scan, TOOK, traded=traded)["status"] == status


def test_what_is_unknown_is_no_number() -> None:
    report = report_of(a_view(equity=None), seen(), TOOK, traded=False)

    assert report["portfolio"]["account_value_usd"] is None
    assert "equity unknown" in as_text({"majors": report})


def test_for_a_person_it_is_a_sentence() -> None:
    view = a_view(symbols=14, equity=Decimal("9789.97"), trades_today=2)
    report = report_of(view, seen(REFUSED, triggers=5), TOOK, traded=False)

    assert as_text({"rules": report}) == (
        "rules (paper): NO_TRADE; 14 symbols, 5 triggers, 1 proposals; equity 9,789.97, 0 open, "
        "2 trades today\n  scan 0.040 s"
    )
    assert as_text({}) == "No trader is enabled."


def test_one_trader_is_one_object_and_several_are_named() -> None:
    report = report_of(a_view(), seen(), TOOK, traded=False)

    assert json.loads(as_lines({"majors": report})) == report
    told = [json.loads(line) for line in as_lines({"a": report, "b": report}).splitlines()]
    assert told == [{"trader": "a", **report}, {"trader": "b", **report}]
