"""A goal goes with the machine; a later run keeps what it did not measure; README has its table."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from bench.figures import HOUSE, SLOW, Figure, Measured, table
from bench.latest import Latest, merged
from bench.readme import BEGIN, END, with_table


def figure(value: float | None, unit: str, **others: object) -> Figure:
    return Figure(name="it", value=value, unit=unit, **{"goal": 10.0, **others})  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("unit", "goal"),
    [("s", 20.0), ("ms", 20.0), ("us", 20.0), ("% of a core", 20.0), ("1/s", 5.0)]
    + [(unit, 10.0) for unit in ("MB", "x", "loops", "")],
)
def test_a_goal_in_time_goes_with_the_machine_and_any_other_does_not(
    unit: str, goal: float
) -> None:
    assert figure(1.0, unit).on(2 * HOUSE, "start").goal == pytest.approx(goal)
    assert figure(1.0, unit, at=SLOW).on(SLOW, "start").goal == 10.0


@pytest.mark.parametrize(
    ("better", "value", "share", "verdict"),
    [
        ("less", 5.0, 0.5, "met"),
        ("less", 10.0, 1.0, "met"),
        ("less", 15.0, 1.5, "MISSED"),
        ("more", 20.0, 0.5, "met"),
        ("more", 5.0, 2.0, "MISSED"),
    ],
)
def test_a_share_up_to_one_is_good_whichever_way_is_better(
    better: str, value: float, share: float, verdict: str
) -> None:
    measured = figure(value, "x", better=better).on(HOUSE, "peers")
    assert (measured.share, measured.verdict) == (share, verdict)
    assert verdict in table([measured])


@pytest.mark.parametrize("what", [figure(None, "s"), figure(1.0, "s", goal=None)])
def test_without_a_value_or_a_goal_there_is_no_verdict(what: Figure) -> None:
    assert what.on(HOUSE, "start").verdict == ""


def test_what_was_not_measured_again_stays_with_its_own_machine() -> None:
    old = [measured(subject, HOUSE) for subject in ("start", "stop", "gone")]
    new = [measured("stop", SLOW)]
    found = merged(old, new, ("start", "stop", "venue"))
    assert [(each.subject, each.loop) for each in found] == [("start", HOUSE), ("stop", SLOW)]
    assert [Measured.read(json.loads(json.dumps(asdict(each)))) for each in found] == found


def test_the_readme_has_the_headlines_and_the_machine_between_its_marks() -> None:
    found = Latest(
        machine="two cores",
        figures=[measured("start", HOUSE, headline=True), measured("stop", SLOW)],
    )
    text = f"before\n{BEGIN}\nold\n{END}\nafter"
    made = with_table(text, found)
    assert "| it | 5 ms | <= 10 ms | 0.500 met |" in made
    assert "old" not in made
    assert "two cores" in made
    assert "0.40 to 0.40 s" in made
    assert made.startswith("before\n")
    assert made.endswith("\nafter")
    assert with_table(made, found) == made
    with pytest.raises(ValueError, match="0 places"):
        with_table("nothing", found)


def measured(subject: str, loop: float, *, headline: bool = False) -> Measured:
    return figure(5.0, "ms", headline=headline).on(loop, subject)
