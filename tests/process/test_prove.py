"""`quarterdeck prove`: what the desk relies on is done at an exchange, and nothing stays behind."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.process.desk_process import COMMAND, Ended, environment
from tests.process.exchange_desk import SETTINGS, keys
from tests.servers.exchange import OWNER
from tests.servers.exchange.process import ExchangeProcess
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

MARKETS = [
    ("binance", "spot"), ("binance", "swap"), ("bybit", "spot"), ("bybit", "swap"),
    ("okx", "spot"), ("okx", "swap"),
]  # fmt: skip


DESK_KEPT = [("bybit", "spot"), ("okx", "spot")]
"""Where no stop rests."""


@contextmanager
def an_exchange(exchange: str, market: str) -> Iterator[ExchangeProcess]:
    """Its price comes by whatever waits just below the market, again and again."""
    with ExchangeProcess(exchange=exchange, market=market) as venue:
        over = threading.Event()
        moves = threading.Thread(target=_swing, args=(venue, over))
        moves.start()
        try:
            yield venue
        finally:
            over.set()
            moves.join()


def _swing(venue: ExchangeProcess, over: threading.Event) -> None:
    while not over.wait(0.5):
        for price in ("49900", "50000"):
            venue.engine("trade_through", "BTCUSDT", price)
            venue.engine("quote", "BTCUSDT", price)


def proven(
    folder: Path, venue: ExchangeProcess, exchange: str, market: str, *, said: str = "yes\n"
) -> Ended:
    text = SETTINGS.format(
        market=market, url=venue.url, ws_url=venue.ws_url, symbols='"BTC/USDT"', style="market"
    ).replace("accept_unproven = true\n", "")
    (folder / "bot.toml").write_text(text.replace('"binance"', f'"{exchange}"'))
    return command(folder, "prove", "real", said=said, **secrets_of(exchange))


def secrets_of(exchange: str) -> dict[str, str]:
    """What its key consists of besides, where it does."""
    if exchange != "okx":
        return {}
    return {"QUARTERDECK__VENUES__REAL__PASSPHRASE": OWNER.passphrase}


def command(folder: Path, *arguments: str, said: str = "", **secrets: str) -> Ended:
    done = subprocess.run(
        [*COMMAND, *arguments], input=said, capture_output=True, check=False, cwd=folder,
        env=environment(**keys(), **secrets), text=True, timeout=PATIENCE,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def left(venue: ExchangeProcess) -> list[Any]:
    state = venue.tell("state")
    rests = [o for o in [*state["orders"], *state.get("algos", [])] if is_open(o)]
    held = [p for p in state.get("positions", []) if Decimal(p["amount"])]
    return [*rests, *held]


def is_open(order: dict[str, Any]) -> bool:
    return str(order["status"]) in {"NEW", "PARTIALLY_FILLED"}


@pytest.mark.parametrize(("exchange", "market"), MARKETS)
def test_a_market_is_proven_and_trades_live_from_then_on(
    tmp_path: Path, exchange: str, market: str
) -> None:
    with an_exchange(exchange, market) as venue:
        done = proven(tmp_path, venue, exchange, market)
        assert done.code == 0, done
        assert f"Proven: {exchange} {market}" in done.out
        assert "Restarted: found again by its id" in done.out
        assert ("A stop was triggered" in done.out) == ((exchange, market) not in DESK_KEPT)
        assert left(venue) == []
        (kept,) = json.loads((tmp_path / "state" / "proofs.json").read_text())
        assert (kept["of"]["exchange"], kept["of"]["market"]) == (exchange, market)
        started = command(tmp_path, "run", "--for", "0.1", **secrets_of(exchange))
        assert started.code == 0, started


def test_real_money_needs_a_typed_yes(tmp_path: Path) -> None:
    with an_exchange("binance", "swap") as venue:
        done = proven(tmp_path, venue, "binance", "swap", said="y\n")
    assert done.code == 1
    assert "REAL MONEY" in done.err
    assert "Nothing was sent." in done.err
    assert not (tmp_path / "state" / "proofs.json").exists()


REFUSE = {"kind": "Refuse", "status": 400, "code": -2010, "text": "no such thing"}
LOSE = {"kind": "Close", "done": True}


@pytest.mark.parametrize("act", [REFUSE, LOSE], ids=["refused", "answer lost"])
@pytest.mark.parametrize("order", range(6))
def test_a_step_that_fails_leaves_nothing_open_and_proves_nothing(
    tmp_path: Path, order: int, act: dict[str, Any]
) -> None:
    """Whichever order it is that meets trouble: to rest, to buy, to sell, to wait for a price."""
    with an_exchange("binance", "swap") as venue:
        venue.tell("on", method="POST", path="*rder", act=act, after=order, times=1)
        done = proven(tmp_path, venue, "binance", "swap")
        assert done.code == 1, done
        assert re.search(r"Step \d+ failed: .*qd-.*", done.err), done
        assert "Nothing of it is left open there" in done.err
        assert left(venue) == []
    assert not (tmp_path / "state" / "proofs.json").exists()


def test_what_cannot_be_taken_away_is_told_exactly(tmp_path: Path) -> None:
    with an_exchange("binance", "swap") as venue:
        venue.tell("on", method="DELETE", path="*rder", act=REFUSE, times=None)
        done = proven(tmp_path, venue, "binance", "swap")
        assert done.code == 1, done
        (order,) = left(venue)
        assert f"LEFT THERE: perhaps buy {order['wish']['quantity']} BTC/USDT limit" in done.err
        assert order["wish"]["client_id"] in done.err
    assert not (tmp_path / "state" / "proofs.json").exists()
