"""freqtrade in a venv of its own (`make bench-peers`), without the internet.

Its markets, candles and prices come from the loopback Binance of the tests, by ccxt's own setting
for addresses; its Telegram is a Bot API server on loopback.  It trades dry.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.chats import USER, until
from bench.peers.telegram import PeerTelegram
from tests.servers.exchange.process import ExchangeProcess
from trading.market.candles import Candles

VENV = Path(__file__).parents[2] / ".venv" / "peers"
INSIDE = Path(__file__).with_name("inside")
PRICE = 50_000
BASES = ("BTC", "ETH", "XRP", "ADA", "DOGE", "SOL", "BNB", "LTC", "LINK", "DOT")
"""It backtests perpetuals only where it knows how far they may be levered."""
_ADDRESSES = {
    "public": "api/v3", "private": "api/v3", "sapi": "sapi/v1", "fapiPublic": "fapi/v1",
    "fapiPublicV2": "fapi/v2", "fapiPrivate": "fapi/v1", "fapiPrivateV2": "fapi/v2",
    "fapiPrivateV3": "fapi/v3",
}  # fmt: skip


def excuse() -> str:
    """Why it cannot be run; empty: it can."""
    return "" if (VENV / "bin" / "freqtrade").exists() else "not installed: make bench-peers"


def version(name: str) -> str:
    """Of a package in its venv."""
    ask = f"from importlib.metadata import version; print(version({name!r}))"
    return inside("-c", ask).strip()


def inside(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> str:
    """Run the interpreter of its venv; return what it printed.  What goes wrong is shown."""
    done = subprocess.run(
        [VENV / "bin" / "python", *arguments],
        capture_output=True, text=True, check=False, env=_environ() | dict(environ or {}),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2_000:]}{done.stderr[-4_000:]}")
    return done.stdout


def _environ() -> dict[str, str]:
    """Compiled once, as an operator's is."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


# -- a backtest -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtested:
    seconds: float
    """Of the processor."""
    peak: float
    """Memory in MB."""
    trades: int


def backtest(folder: Path, candles: Candles, *, capital: float, stake: float) -> Backtested:
    """EMA 12/48 cross, both ways, half as many positions as symbols, by the 5 minutes."""
    pairs = [f"{base}/USDT:USDT" for base in BASES[: len(candles.symbols)]]
    save(folder / "candles.npz", candles, pairs, opens=candles.times - 300_000)
    data = folder / "data"
    inside(INSIDE / "candles.py", folder / "candles.npz", data)
    with ExchangeProcess(market="swap", symbols=BASES) as venue:
        venue.tell("unlimited")
        settings = _settings(venue.url, pairs) | {
            "trading_mode": "futures", "margin_mode": "isolated", "timeframe": "5m",
            "dry_run_wallet": capital, "stake_amount": stake, "max_open_trades": len(pairs) // 2,
        }  # fmt: skip
        settings["exchange"]["ccxt_config"]["options"] = {"fetchMarkets": {"types": ["linear"]}}
        config = _written(folder, settings)
        told = inside(
            INSIDE / "backtest.py", "backtesting", "--config", config, "--userdir", folder,
            "--datadir", data, "--strategy", "EmaCross", "--strategy-path", INSIDE,
            "--fee", "0.0002", "--cache", "none", "--export", "none",
        )  # fmt: skip
    return Backtested(**json.loads(told.splitlines()[-1]))


def save(file: Path, candles: Candles, pairs: Sequence[str], *, opens: Any) -> None:
    columns = ("open", "high", "low", "close", "volume")
    panels = {name: getattr(candles, name) for name in columns}
    np.savez(file, pairs=np.array(pairs), times=opens, **panels)


# -- a bot ----------------------------------------------------------------------------------------


@asynccontextmanager
async def trading(
    folder: Path, url: str, chat: PeerTelegram, pairs: Sequence[str], *,
    opened: int = 0, throttle: int = 5, notes: Path | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:  # fmt: skip
    """`freqtrade trade` on the exchange at *url*, once it polls *chat*.

    *opened* of its *pairs* are held from the beginning; *throttle*: seconds between two rounds;
    *notes*: where each analysis of all pairs is noted.
    """
    database = f"sqlite:///{folder}/trades.sqlite"
    if opened and not (folder / "trades.sqlite").exists():
        inside(INSIDE / "open_trades.py", database, str(PRICE), *pairs[:opened])
    settings = _settings(url, pairs) | {
        "timeframe": "1h", "dry_run_wallet": 1_000_000, "stake_amount": 5_000,
        "max_open_trades": max(opened, 1), "db_url": database,
        "internals": {"process_throttle_secs": throttle},
        "telegram": {"enabled": True, "token": chat.token, "chat_id": USER},
    }  # fmt: skip
    config = _written(folder, settings)
    environ = _environ() | ({} if notes is None else {"BENCH_ANALYSES": str(notes)})
    with (folder / "freqtrade.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            VENV / "bin" / "python", INSIDE / "launch.py", f"{chat.base_url}/bot",
            "trade", "--config", config, "--userdir", folder,
            "--strategy", "Scan", "--strategy-path", INSIDE,
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environ,
        )  # fmt: skip
    try:
        try:
            await until(lambda: chat.polls, lambda: process.returncode is None)
        except RuntimeError:
            raise RuntimeError((folder / "freqtrade.log").read_text()[-4_000:]) from None
        yield process
    finally:
        if process.returncode is None:
            process.kill()  # what it has in its folder is thrown away
        await process.wait()


def _settings(url: str, pairs: Sequence[str]) -> dict[str, Any]:
    api = {name: f"{url}/{path}" for name, path in _ADDRESSES.items()}
    book = {"price_side": "same", "use_order_book": True, "order_book_top": 1}
    return {
        "bot_name": "peer", "dry_run": True, "stake_currency": "USDT", "initial_state": "running",
        "entry_pricing": book, "exit_pricing": book,
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {
            "name": "binance", "key": "", "secret": "", "enable_ws": False,
            "pair_whitelist": list(pairs),
            "ccxt_config": {
                "enableRateLimit": False, "urls": {"api": api},
                "options": {"fetchMarkets": {"types": ["spot"]}},
            },
        },
    }  # fmt: skip


def _written(folder: Path, settings: Mapping[str, Any]) -> Path:
    config = folder / "config.json"
    config.write_text(json.dumps(settings))
    return config
