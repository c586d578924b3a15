"""`quarterdeck check` on exchanges, asking a server that answers as Binance does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbot.checks.desk import check
from chatbot.checks.finding import Finding, Verdict
from tests.process.exchange_desk import Exchange, keys, settings
from tests.servers.exchange import OWNER, READER, ApiKey, Hold
from tests.servers.exchange.access import KEYS
from trading.clocks import SystemClock

pytestmark = pytest.mark.slow  # each imports ccxt once, and asks over sockets


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    with Exchange(market="swap") as venue:
        yield venue


@pytest.fixture
def venue(running: Exchange) -> Iterator[Exchange]:
    yield running
    running.do(lambda v: v.faults.clear())


def found(
    folder: Path, venue: Exchange, *, key: ApiKey = OWNER, within: float = 10, change: str = ""
) -> dict[str, list[Finding]]:
    """The findings by what they are about."""
    old, _, new = change.partition(" -> ")
    (folder / "bot.toml").write_text(settings(venue).replace(old, new) if old else settings(venue))
    told: dict[str, list[Finding]] = {}
    for finding in check(folder / "bot.toml", keys(key), SystemClock(), within=within):
        told.setdefault(finding.what, []).append(finding)
    return told


def test_a_desk_that_may_trade_has_a_row_for_each_thing(tmp_path: Path, venue: Exchange) -> None:
    told = found(tmp_path, venue)
    rows = ("feed of majors", "venue of majors", "venue of majors: clock", "sizes of majors")
    assert [told[row][0].verdict for row in rows] == [Verdict.OK] * 4
    assert told["venue of majors"][0].said == "binance swap, may trade"
    assert told["venue of majors: position mode"][0].said == "one for each symbol"
    assert "2 symbols" in told["feed of majors"][0].said


def test_what_the_key_may_not_do_is_named(tmp_path: Path, venue: Exchange) -> None:
    (fault, *_) = found(tmp_path, venue, key=READER)["venue of majors"]
    assert fault.verdict is Verdict.FAULT
    assert fault.todo
    assert READER.secret not in fault.said


def test_a_key_that_may_withdraw_is_worth_a_look(tmp_path: Path) -> None:
    rich = ApiKey(key="rich-key", secret="rich-secret", withdrawals=True)  # of the test
    with Exchange(market="swap", keys=(*KEYS, rich)) as venue:
        look, *_ = found(tmp_path, venue, key=rich)["venue of majors"]
    assert look.verdict is Verdict.LOOK
    assert "withdraw" in look.said


def test_a_symbol_that_is_not_traded_there_is_named(tmp_path: Path, venue: Exchange) -> None:
    told = found(tmp_path, venue, change='"ETH/USDT" -> "NOPE/USDT"')
    assert "NOPE/USDT" in told["feed of majors"][0].said
    assert told["feed of majors"][0].verdict is Verdict.FAULT


def test_positions_smaller_than_the_least_order_are_told(tmp_path: Path, venue: Exchange) -> None:
    told = found(tmp_path, venue, change="capital = 10000 -> capital = 10")
    assert told["sizes of majors"][0].verdict is Verdict.LOOK


def test_an_exchange_that_hangs_does_not_hang_the_check(tmp_path: Path, venue: Exchange) -> None:
    venue.on("GET", "*/exchangeInfo", Hold(), times=None)
    told = found(tmp_path, venue, within=0.5)
    assert told["venue of majors"][0].verdict is Verdict.FAULT
    assert "does not answer" in told["venue of majors"][0].said


def test_an_exchange_that_is_not_there_is_named_with_what_to_do(
    tmp_path: Path, venue: Exchange
) -> None:
    told = found(tmp_path, venue, change=f'"{venue.server.url}" -> "http://127.0.0.1:1"')
    assert told["feed of majors"][0].verdict is Verdict.FAULT
    assert "binance swap" in told["feed of majors"][0].said


def test_what_is_not_proven_is_a_fault_until_it_is_accepted(
    tmp_path: Path, venue: Exchange
) -> None:
    (look,) = found(tmp_path, venue)["venue of majors: proof"]
    assert (look.verdict, look.todo) == (Verdict.LOOK, "quarterdeck prove real")
    told = found(tmp_path, venue, change="accept_unproven = true -> accept_unproven = false")
    (fault,) = told["venue of majors: proof"]
    assert fault.verdict is Verdict.FAULT
    assert "accept_unproven = true in [venues.real]" in fault.todo
