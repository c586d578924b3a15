"""The traders that bot.toml ships switched off: switched on, each trades the recorded hours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from chatbot.app.start import App
from chatbot.folder.history import HISTORY
from chatbot.folder.state import StateFolder
from chatbot.settings import Settings, load
from chatbot.wiring.build import build
from storage.store import SqlStore
from tests.builders import NOON
from tests.waiting import until
from trading.clocks import ManualClock
from trading.errors import Refused
from trading.events import CycleFailed, Event, UniverseChanged
from trading.market.universe import TIERS
from trading.strategies import strategy
from trading.strategies.rules.regime import Regime
from trading.trader import Trader

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text(encoding="utf-8")
STILL = {"QUARTERDECK__CHAT__CONSOLE__ENABLED": "false", "QUARTERDECK__FEEDS__CRASH__SPEED": "1"}


def settings_with(folder: Path, *names: str) -> Settings:
    (folder / "bot.toml").write_text(SHIPPED, encoding="utf-8")
    on = {f"QUARTERDECK__TRADERS__{name.upper()}__ENABLED": "true" for name in names}
    return load(folder / "bot.toml", STILL | on)


@dataclass
class Running:
    app: App
    clock: ManualClock
    store: SqlStore
    said: list[Event] = field(default_factory=list)

    def trader(self, name: str) -> Trader:
        return self.app.desk.traders[name]

    async def until(self, true: Callable[[], object], *, step: float = 0.0) -> None:
        await until(true, meanwhile=lambda: self.clock.advance(step), pause=0.001)

    async def bars(self, name: str, count: int) -> None:
        """Let so many bars close and have them handled."""
        trader = self.trader(name)
        for _ in range(count):
            await self._bar(trader, trader.ledger.account.cursor)

    async def _bar(self, trader: Trader, was: datetime | None) -> None:
        self.clock.advance(trader.settings.cycle_every.total_seconds())
        await trader.cycle()
        await self.until(lambda: trader.ledger.account.cursor != was)


@asynccontextmanager
async def a_desk(folder: Path, *names: str) -> AsyncIterator[Running]:
    settings = settings_with(folder, *names)
    clock = ManualClock(NOON)
    with StateFolder(settings.state_dir) as state:
        store = await SqlStore.open(state.path / HISTORY, clock=clock)
        app = await build(settings, state, store, clock)
        desk = Running(app, clock, store)

        async def hear(event: Event) -> None:
            desk.said.append(event)

        app.bus.subscribe(hear)
        running = asyncio.create_task(app.run(began=clock.monotonic(), for_seconds=None))
        await desk.until(lambda: all(t.ready for t in app.desk.traders.values()), step=0.01)
        try:
            yield desk
        finally:
            app.desk.shutdown(by="the test")
            await desk.until(running.done, step=0.1)
            assert running.result() == 0
            await store.close()


def test_as_shipped_they_are_off_and_their_settings_hold(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    assert {name: t.enabled for name, t in settings.traders.items()} == {
        "majors": True, "smc": False, "rules": False,
    }  # fmt: skip
    for trader in settings.traders.values():
        assert strategy(trader.strategy, trader.parameters).name == trader.strategy
    smc, rules = (settings.traders[name].limits.build() for name in ("smc", "rules"))
    assert (smc.max_positions, smc.entries_per_cycle) == (3, 3)
    assert smc.max_position * 3 <= smc.max_exposure
    assert smc.risk_per_trade == Decimal("0.003")
    assert (rules.max_positions, rules.max_position) == (8, Decimal("0.03"))
    assert rules.max_exposure == Decimal("0.25")
    losses = (rules.max_daily_loss, rules.max_weekly_loss, rules.max_drawdown)
    assert losses == (Decimal("0.03"), Decimal("0.07"), Decimal("0.10"))
    assert rules.min_notional == 10
    entries = settings.traders["rules"].entries.build()
    assert entries.max_quote_age == timedelta(seconds=5)
    assert entries.max_slippage == Decimal("0.005")
    assert (rules.entries_per_day, rules.entries_per_hour) == (120, 5)
    assert rules.entry_spacing is not None
    assert rules.entry_spacing.total_seconds() == 90
    assert rules.symbol_rest.total_seconds() == 900
    assert rules.symbol_rest_after_stop == timedelta(hours=2)
    assert rules.symbol_rest_after_loss == timedelta(hours=1)
    assert (rules.loss_streak, rules.loss_streak_rest.total_seconds()) == (3, 3600)


def test_as_shipped_both_find_their_symbols_by_themselves(tmp_path: Path) -> None:
    traders = settings_with(tmp_path).traders
    smc, rules = traders["smc"].plan, traders["rules"].plan
    assert smc is not None
    assert rules is not None
    assert [tier.min_volume for tier in smc.empty.tiers] == [Decimal(5_000_000)]
    assert smc.empty.most == 648
    assert rules.empty.tiers == TIERS
    assert traders["majors"].plan is None


@pytest.mark.slow
async def test_the_universe_of_the_recorded_hours_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with a_desk(tmp_path, "rules") as desk:
        await desk.bars("rules", 30)
        found = desk.trader("rules").universe.found
        assert found is not None
        members = found.universe.members
        assert sorted(s.base for s, tier in members.items() if tier == 1) == ["BTC", "ETH", "SOL"]
        assert set(members.values()) == {1, 2, 3}
        assert any(isinstance(event, UniverseChanged) for event in desk.said)

    async with a_desk(tmp_path, "rules") as desk:
        again = desk.trader("rules").universe.found
        assert again is not None
        assert again.universe == found.universe


@pytest.mark.slow
async def test_smc_trades_the_recorded_hours(tmp_path: Path) -> None:
    async with a_desk(tmp_path, "smc") as desk:
        await desk.bars("smc", 48)

        trader = desk.trader("smc")
        traded = [*trader.ledger.trades, *trader.ledger.positions]
        assert traded, "in two days it finds something"
        assert len(trader.ledger.positions) <= 3
        assert trader.valuer.exposure() <= Decimal(10_000)
        assert [e for e in desk.said if isinstance(e, CycleFailed)] == []


@pytest.mark.slow
async def test_rules_trades_the_recorded_hours(tmp_path: Path) -> None:
    async with a_desk(tmp_path, "rules") as desk:
        await desk.bars("rules", 72)

        trader = desk.trader("rules")
        assert (await trader.regime()).regime is not Regime.UNKNOWN
        traded = [*trader.ledger.trades, *trader.ledger.positions]
        assert traded, "in three days it finds something"
        assert trader.valuer.exposure() <= Decimal(2_500)
        assert [e for e in desk.said if isinstance(e, CycleFailed)] == []


@pytest.mark.slow
async def test_a_strategy_is_changed_between_two_cycles(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        majors = desk.trader("majors")
        await desk.bars("majors", 3)
        fast = majors.settings.parameters["fast"]

        await majors.choose("smc", by="anna, console")
        assert (
            desk.app.desk.views("majors").view().strategy,
            dict(desk.app.desk.views("majors").view().parameters),
        ) == ("smc", {})
        await desk.bars("majors", 3)
        with pytest.raises(Refused, match="rules expects bars of 60 minutes"):
            await majors.choose("rules", by="anna, console")
        with pytest.raises(Refused, match="majors runs smc, which reads no regime"):
            await majors.regime()

        await majors.choose("ema_cross", by="anna, console")
        assert desk.app.desk.views("majors").view().strategy == "ema_cross"
        assert majors.settings.parameters["fast"] == fast, "its own, as bot.toml has it"
        assert [e for e in desk.said if isinstance(e, CycleFailed)] == []
