"""`quarterdeck report`: the figures of a period, from history alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.cli.report import report
from chatbot.settings import Settings, load
from handlers.texts.figures import Span
from storage.store import SqlStore
from tests.builders import ETH, NOON, a_trade
from tests.chatbot.cli.test_say import quarterdeck
from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.ports import Change
from trading.types import ZERO, EquityPoint, Trade

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text(encoding="utf-8")
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bot.toml").write_text(SHIPPED, encoding="utf-8")
    (tmp_path / "state").mkdir()
    return tmp_path


def settings_in(folder: Path) -> Settings:
    return load(folder / "bot.toml", {})


async def traded(folder: Path, trades: Sequence[Trade]) -> None:
    store = await SqlStore.open(folder / "state" / "history.db", clock=ManualClock(NOON))
    points = tuple(
        EquityPoint(trader="majors", at=at, equity=Decimal(10_000), wallet=ZERO, exposure=ZERO)
        for at in (NOON - DAY, NOON)
    )
    await store.commit(Change(trades=tuple(trades), equity=points))
    await store.close()


SOME = (
    a_trade(id="1", closed_at=NOON, profit=Decimal(30), fees=Decimal(2)),
    a_trade(id="2", closed_at=NOON, profit=Decimal(-10), fees=Decimal(1), symbol=ETH),
    a_trade(id="3", closed_at=NOON - 20 * DAY, profit=Decimal(5), fees=Decimal(1)),
)


async def test_a_period_ends_with_the_last_day_traded(folder: Path) -> None:
    await traded(folder, SOME)
    spans = {Span.DAY: (2, "20"), Span.WEEK: (2, "20"), Span.MONTH: (3, "25"), Span.ALL: (3, "25")}
    for span, (trades, profit) in spans.items():
        found = report(settings_in(folder), span, now=NOON + 4000 * DAY)
        (told,) = (each.as_json() for each in found)
        assert (told["trades"], told["profit"]) == (trades, profit), span
        assert told["last"] == "2026-01-05"
        assert json.loads(json.dumps(told)) == told


async def test_it_reads_as_the_chats_do(folder: Path) -> None:
    await traded(folder, SOME)
    (told,) = report(settings_in(folder), Span.DAY, now=NOON)
    lines = told.as_text().splitlines()
    assert lines[0].startswith("majors (paper), today: +20.00")
    assert lines[1].startswith("2 trades, 1 won (50.0")
    named = [line.split()[0] for line in lines if line.startswith("  ")]
    assert named[:2] == ["BTC", "ETH"]


async def test_without_a_trade_it_says_so(folder: Path) -> None:
    await traded(folder, ())
    (told,) = report(settings_in(folder), Span.ALL, now=NOON)
    assert told.as_text().splitlines()[1] == "No trades"


def test_without_a_history_there_is_a_sentence(folder: Path) -> None:
    with pytest.raises(StoreError, match="There is no history at"):
        report(settings_in(folder), Span.ALL, now=NOON)
    assert not (folder / "state" / "history.db").exists()


def test_what_is_no_history_is_left_alone(folder: Path) -> None:
    path = folder / "state" / "history.db"
    path.write_bytes(b"shopping list: bread, cheese " * 100)
    with pytest.raises(StoreError, match="not a database"):
        report(settings_in(folder), Span.ALL, now=NOON)
    assert path.read_bytes().startswith(b"shopping list")


async def test_the_command_tells_both_ways(folder: Path) -> None:
    none = await quarterdeck("report", cwd=folder)
    assert (none.code, none.out) == (1, "")
    assert "There is no history at" in none.err

    await traded(folder, SOME)
    text = await quarterdeck("report", "--period", "all", cwd=folder)
    assert text.out.startswith("majors (paper), all time: +25.00")
    plain = await quarterdeck("report", "--period", "day", "--json", cwd=folder)
    assert json.loads(plain.out)[0]["by_symbol"]["ETH/USDT"]["profit"] == "-10"
