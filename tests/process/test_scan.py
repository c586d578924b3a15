"""`quarterdeck scan --once`, as a cron job or another program runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.process import books
from tests.process.conftest import NewDesk
from tests.process.desk_process import DeskProcess, quarterdeck

SPEED = "QUARTERDECK__FEEDS__CRASH__SPEED"

REPORTED = (
    "status", "mode", "universe_size", "triggers_detected", "proposals_generated", "portfolio",
)  # fmt: skip


def scan(desk: DeskProcess, **environ: str) -> dict[str, Any]:
    ended = quarterdeck("scan", "--once", "--json", cwd=desk.folder, **environ)
    assert (ended.code, ended.err) == (0, "")
    report = json.loads(ended.out)
    assert isinstance(report, dict)
    return report


@pytest.mark.slow
async def test_a_scan_is_one_cycle_and_the_next_one_goes_on(new_desk: NewDesk) -> None:
    desk = new_desk()
    first = scan(desk)

    durations = first.pop("durations")
    assert first == {
        "status": "NO_TRADE",
        "mode": "PAPER",
        "universe_size": 5,
        "triggers_detected": 0,
        "proposals_generated": 0,
        "portfolio": {"account_value_usd": 10000.0, "open_positions": 0, "trades_today": 0},
    }
    assert set(durations) == {"load", "compare", "scan", "save"}
    cursor = await cursor_of(desk)

    assert scan(desk)["status"] == "NO_TRADE"
    assert await cursor_of(desk) > cursor
    assert sorted(path.name for path in desk.state.iterdir() if "-" not in path.name) == [
        "history.db", "latch", "lock", "logs", "metrics.json",
    ]  # fmt: skip


async def cursor_of(desk: DeskProcess) -> Any:
    left = await books.read(desk.state)
    assert left.books.account is not None
    return left.books.account.cursor


@pytest.mark.slow
async def test_a_scan_goes_on_where_a_desk_died_and_leaves_the_books_right(
    new_desk: NewDesk,
) -> None:
    desk = new_desk(**{SPEED: "360"}).start()
    desk.alerts("PositionOpened")  # a position
    desk.kill()

    report = scan(desk)
    assert report["portfolio"]["open_positions"] >= 1
    assert books.faults(await books.read(desk.state)) == []


@pytest.mark.slow
def test_several_traders_report_in_a_line_each(new_desk: NewDesk) -> None:
    """`rules` sees what happens, and tells how much of it was worth a proposal."""
    desk, both = new_desk(), {"QUARTERDECK__TRADERS__RULES__ENABLED": "true"}
    ended = quarterdeck("scan", "--once", "--json", cwd=desk.folder, **both)

    majors, rules = map(json.loads, ended.out.splitlines())
    assert (majors["trader"], rules["trader"]) == ("majors", "rules")
    assert list(rules)[1:] == [*REPORTED, "durations"]
    assert rules["triggers_detected"] >= rules["proposals_generated"]


@pytest.mark.slow
async def test_the_next_run_finds_a_clean_end(new_desk: NewDesk) -> None:
    desk = new_desk()
    scan(desk)

    assert (await books.read(desk.state)).clean_exit
    desk.start()
    desk.alerts("TraderStarted", count=2)  # both starts are told


@pytest.mark.slow
def test_a_dry_run_says_so_and_a_halt_holds(new_desk: NewDesk) -> None:
    desk = new_desk()
    assert scan(desk)["status"] == "NO_TRADE"
    quarterdeck("stop", cwd=desk.folder)

    report = scan(desk, QUARTERDECK__TRADERS__MAJORS__MODE="dry_run")
    assert (report["mode"], report["status"]) == ("DRY_RUN", "HALTED")


@pytest.mark.slow
def test_where_a_desk_runs_a_scan_is_refused(new_desk: NewDesk) -> None:
    desk = new_desk().start()

    ended = quarterdeck("scan", "--once", cwd=desk.folder)
    assert (ended.code, ended.out) == (1, "")
    assert f"Another desk (pid {desk.pid}) runs on" in ended.err
    assert quarterdeck("report", cwd=desk.folder).code == 0, "reading is allowed"


def test_a_scan_without_once_says_what_to_type(tmp_path: Path) -> None:
    ended = quarterdeck("scan", cwd=tmp_path)
    assert ended.code == 2
    assert "quarterdeck scan --once" in ended.err
