"""What is said about money: what was filled, what it cost, what was sent; one figure everywhere."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.desk_process import confirmation
from tests.process.exchange_desk import PRICE, Exchange, LiveDesk, live_desk
from tests.servers.exchange import Refuse

pytestmark = pytest.mark.slow

FIGURES = ("status", "risk", "limits", "daily", "weekly", "equity day", "balance", "stats day")
MONEY = re.compile(r"[-+][\d,]+\.\d\d(?=\sUSDT)")


def result(text: str) -> str:
    """The first signed sum of money in it."""
    return str(MONEY.findall(text)[0])


def told_of_close(desk: LiveDesk, base: str) -> tuple[str, str, str]:
    """Close it: what the answer, the alert and the list of trades say it came to."""
    answer = desk.do(f"/close {base}")
    assert answer["outcome"] == "done", answer
    assert "Not done" not in answer["plain"], answer
    assert "after fees" in answer["title"]
    listed = desk.say("/trades 1")["title"]
    return result(answer["title"]), result(desk.alerts("PositionClosed")[-1]), result(listed)


def test_a_fee_in_coins_is_a_fee_and_one_close_has_one_figure(tmp_path: Path) -> None:
    with Exchange(market="spot", bases=("BTC",)) as venue, live_desk(tmp_path, venue) as desk:
        answer = desk.do("/buy BTC 500")

        assert "Not done" not in answer["plain"], answer
        assert "Bought 0.01000 BTC" in answer["title"], "what was ordered is what was filled"
        assert "is held: the rest of the coins was the fee" in answer["plain"], answer
        assert "filled so far" not in "".join(desk.alerts("PositionOpened"))

        desk.until(lambda: venue.stops("BTC"), "it is protected")
        venue.trades_at("BTC", PRICE + 500)
        desk.until(lambda: "50,500" in desk.say("/price BTC")["plain"], "it hears")
        question = desk.say("/close BTC")["plain"]
        assert "before fees" in question
        assert len(set(told_of_close(desk, "BTC"))) == 1, "the answer equals the trade"
        agree(desk)
        assert desk.complaints() == []


def agree(desk: LiveDesk) -> None:
    """The day, drawdown, equity and trades as every command tells them."""
    told = {name: str(desk.say(f"/{name}")["plain"]) for name in FIGURES}
    day, share = re.findall(r"today (\S+) \((\S+)\s%\)", told["status"])[0]
    assert share in re.findall(r"day\s%\s+(\S+)", told["risk"])
    assert share in re.findall(r"day\s%\s+(\S+)", told["limits"])
    for name in ("daily", "weekly", "equity day"):
        assert f"{day} USDT ({share} %)" in told[name].replace("\xa0", " "), told[name]
    (drawdown,) = re.findall(r"drawdown\s%\s+(\S+)", told["risk"])
    assert f"Drawdown {drawdown}" in told["status"].replace("\xa0", " ")
    assert f"Drawdown {drawdown}" in told["equity day"].replace("\xa0", " ")
    equity = re.findall(r"Equity ([\d,.]+)", told["status"])[0]
    assert equity in told["balance"]
    assert equity in told["equity day"]
    won = re.findall(r"(\d+) won", told["stats day"])
    assert won == re.findall(r"(\d+) won", told["equity day"])


def test_fees_in_another_coin_are_in_every_figure_after_fees(tmp_path: Path) -> None:
    """In BNB, which nobody follows here: its price is asked for, and the wallet is not missed."""
    with Exchange(market="spot", bases=("BTC", "BNB")) as venue:
        venue.do(lambda v: setattr(v.engine, "fee_asset", "BNB"))
        venue.do(lambda v: v.engine.quote("BNBUSDT", 600))
        venue.bases = ("BTC",)
        with live_desk(tmp_path, venue) as desk:
            before = Decimal(venue.do(lambda v: v.engine.total("BNB")))
            answer = desk.do("/buy BTC 1000")
            assert "Not done" not in answer["plain"], answer
            desk.until(lambda: venue.stops("BTC"), "it is protected")

            figures = set(told_of_close(desk, "BTC"))

            paid = (before - venue.do(lambda v: v.engine.total("BNB"))) * 600
            assert paid > 0
            (figure,) = figures
            assert Decimal(figure.replace(",", "")) <= -paid.quantize(Decimal("0.01"))
            fees = desk.say("/stats day")["plain"]
            assert f"Fees {paid:.2f}" in fees, fees
            desk.until(lambda: desk.say("/accept_books")["outcome"] == "refused", "it compares")
            assert "No entries for now" not in desk.say("/status")["plain"]
            assert desk.complaints() == []


def test_after_a_cancel_was_sent_nobody_says_that_nothing_was(tmp_path: Path) -> None:
    """The stop goes first on spot; then the venue tells no more what the account holds."""
    with Exchange(market="spot", bases=("BTC",)) as venue, live_desk(tmp_path, venue) as desk:
        desk.bought("BTC")
        since = len(venue.asked("DELETE", "*/order"))
        asked = confirmation(desk.say("/close BTC"))
        venue.on("GET", "*/account", Refuse(503, -1000, "Down."), times=None)

        answer = desk.say(asked)

        assert len(venue.asked("DELETE", "*/order")) > since, "its stop was cancelled"
        assert "Nothing was sent" not in answer["plain"], answer
        assert answer["outcome"] == "failed", answer
        assert "BTC was not closed" in answer["plain"], answer
        venue.do(lambda v: v.faults.clear())
        desk.until(lambda: venue.stops("BTC"), "it is protected again")
