"""`quarterdeck scan --once`: one cycle of every trader, without faces.

The desk is the one that `run` builds, and the folder is left as a run leaves it.  What happened is
told to the chats by the next run: its alerts wait in history.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatbot.app.start import App
from chatbot.folder.history import history
from chatbot.folder.state import StateFolder
from chatbot.settings import Settings
from chatbot.wiring.build import build
from trading.accounts.views import Scan, View
from trading.clocks import SystemClock
from trading.cycle.opening import Start
from trading.ports import FeedState
from trading.trader import Trader

LOOKS = 10
"""How often within a bar it is looked whether that has closed."""

Report = dict[str, Any]


async def scan_once(settings: Settings, folder: StateFolder) -> dict[str, Report]:
    """Run one cycle of each trader on *folder*, which is held; return a report of each by name.

    A replay stands still between two processes, so the time of one bar is waited for.  Raises
    `TradingError` when history or a venue does not answer.
    """
    clock = SystemClock()
    began = clock.monotonic()
    async with history(folder.path, clock) as store:
        app = await build(settings, folder, store, clock)
        async with app.without_faces(began) as start:
            traders = list(app.desk.traders.values())
            scanning = (_Scanning(app, trader, start).run() for trader in traders)
            reports = await asyncio.gather(*scanning)
            return {t.name: report for t, report in zip(traders, reports, strict=True)}


@dataclass
class _Scanning:
    """One trader on its way through one cycle."""

    app: App
    trader: Trader
    start: Start
    durations: dict[str, float] = field(default_factory=dict)

    async def run(self) -> Report:
        await self._begin()
        carrying_out = asyncio.ensure_future(self.trader.run())
        try:
            await self._a_bar_closes()
            began, saved = self._now(), self._saving()
            filled = self.trader.ledger.fills_booked
            scan = await self.trader.scan()
            await self.trader.protection.settle()
            await self.app.recorder.settle()
            self._note("scan", began)
            self.durations["save"] = round(self._saving() - saved, 4)
        finally:
            carrying_out.cancel()
            await asyncio.gather(carrying_out, return_exceptions=True)
        traded = self.trader.ledger.fills_booked > filled
        return report_of(
            self.app.desk.views(self.trader.name).view(), scan, self.durations, traded=traded
        )

    async def _begin(self) -> None:
        began = self._now()
        await self.trader.load()
        await asyncio.to_thread(self.trader.prepare)
        self._note("load", began)
        began = self._now()
        await self.trader.start(self.start)
        self._note("compare", began)

    async def _a_bar_closes(self) -> None:
        """Of a replay; a live feed has what closed while nobody looked."""
        settings, feed = self.trader.settings, self.trader.feed
        cursor = self.trader.ledger.account.cursor or feed.first_cursor
        while (
            settings.replay_speed is not None
            and feed.state() is FeedState.LIVE
            and not await feed.closes(cursor)
        ):
            await self.app.clock.sleep(settings.cycle_every.total_seconds() / LOOKS)

    def _saving(self) -> float:
        """Seconds that history took so far, of all traders."""
        timing = self.app.watching.metrics.timings.get("history")
        return timing.total if timing else 0.0

    def _now(self) -> float:
        return self.app.clock.monotonic()

    def _note(self, name: str, began: float) -> None:
        self.durations[name] = round(self._now() - began, 4)


def report_of(view: View, scan: Scan, durations: dict[str, float], *, traded: bool) -> Report:
    """The cycle as other programs read it; `save` is the part of `scan` that history took.

    *traded*: something was bought or sold in it, exits included.
    """
    return {
        "status": _status(view, scan, traded=traded),
        "mode": view.mode.value.upper(),
        "universe_size": view.symbols,
        "triggers_detected": scan.cycle.triggers if scan.cycle else 0,
        "proposals_generated": len(scan.decisions),
        "portfolio": {
            "account_value_usd": None if view.equity is None else float(view.equity),
            "open_positions": len(view.holdings),
            "trades_today": view.trades_today,
        },
        "durations": durations,
    }


def _status(view: View, scan: Scan, *, traded: bool) -> str:
    if scan.problem:
        return "FAILED"
    if traded or any(decision.approved for decision in scan.decisions):
        return "TRADE"
    return "HALTED" if view.halts else "NO_TRADE"


def as_lines(reports: Mapping[str, Report]) -> str:
    """One JSON object in each line; with a trader's name where there are several."""
    several = len(reports) > 1
    named = ({"trader": name, **report} if several else report for name, report in reports.items())
    return "\n".join(map(json.dumps, named))


def as_text(reports: Mapping[str, Report]) -> str:
    """The reports for a person."""
    lines = (_line(name, report) for name, report in reports.items())
    return "\n".join(lines) or "No trader is enabled."


def _line(name: str, report: Report) -> str:
    portfolio = report["portfolio"]
    equity = portfolio["account_value_usd"]
    took = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in report["durations"].items())
    return (
        f"{name} ({report['mode'].lower()}): {report['status']}; "
        f"{report['universe_size']} symbols, {report['triggers_detected']} triggers, "
        f"{report['proposals_generated']} proposals; "
        f"equity {'unknown' if equity is None else format(equity, ',.2f')}, "
        f"{portfolio['open_positions']} open, "
        f"{portfolio['trades_today']} trades today\n  {took}"
    )
