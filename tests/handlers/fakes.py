"""A desk and a history that do what they are told, and remember what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from itertools import cycle
from types import SimpleNamespace
from typing import Any, cast

from chatbot.app.backtests import ProcessBacktests
from handlers.alert_prefs import AlertPreferences, PriceNotice, Unanswered
from handlers.caller import Caller, Role
from handlers.confirmations import Confirmations
from handlers.context import BackedUp, Person, Services, VenueSummary
from handlers.dispatch import Dispatcher
from handlers.message import Message
from handlers.reply import Level, Reply
from tests.builders import a_close, a_scan, an_order
from tests.handlers.story import COMMANDS, NOW, RULES, a_sweep, checked, the_view
from trading.accounts.views import Closed, Halting, Price, Scan, Ticket, View
from trading.clocks import ManualClock
from trading.cycle.universe import UniverseStatus
from trading.errors import Refused, SettingsError
from trading.model.halt import Halt, Latch, Reached, Verb
from trading.ports import Alert, AuditEntry, Change
from trading.stats.daybook import DayBook
from trading.strategies.rules.regime import Regime, RegimeReading
from trading.types import Decision, MarketRules, Order, Side, Symbol, Trade


@dataclass
class FakeUniverse:
    """Knows what it was given."""

    found: UniverseStatus | None = None
    objections: dict[Symbol, str] = field(default_factory=dict)

    def objection(self, symbol: Symbol, at: datetime) -> str:
        return self.objections.get(symbol, "")


@dataclass
class FakeTrader:
    now: View
    symbols: tuple[Symbol, ...] = tuple(RULES)
    zone: tzinfo = UTC
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    broken: Exception | None = None
    closes: Closed = field(default_factory=a_close)
    scans: Scan = field(default_factory=a_scan)
    prices: dict[Symbol, Price] = field(default_factory=dict)
    tickets: list[Ticket | Refused] = field(default_factory=list)
    """What an entry by hand would be, one after the other; the last one lasts."""
    order: Order = field(default_factory=an_order)
    """What becomes of an order that is sent or cancelled."""
    reading: RegimeReading = RegimeReading(regime=Regime.CHOP, trend=0.031, volatility=0.62)
    universe: FakeUniverse = field(default_factory=FakeUniverse)
    untraded_ones: dict[Symbol, str] = field(default_factory=dict)
    """What its venue does not trade, and why."""
    broken_act: Exception | None = None
    then: View | None = None
    """How the trader looks once something was done."""

    @property
    def name(self) -> str:
        return self.now.name

    @property
    def settings(self) -> SimpleNamespace:
        return SimpleNamespace(zone=self.zone)

    def view(self) -> View:
        if self.broken:
            raise self.broken
        return self.now

    def rules(self, symbol: Symbol) -> MarketRules:
        return RULES[symbol]

    steps = rules

    async def untraded(self, symbol: Symbol) -> str:
        return self.untraded_ones.get(symbol, "")

    async def look_at_lots(self, symbol: Symbol, share: Decimal) -> None:
        """Its lots stay as they are."""

    async def close(self, symbol: Symbol, *, share: Decimal, by: str, origin: str = "") -> Closed:
        self.asked.append(("close", symbol, share, by))
        return self.closes

    def price(self, symbol: Symbol) -> Price:
        return self.prices[symbol]

    def ticket(self, symbol: Symbol, side: Side, notional: Decimal) -> Ticket:
        self.asked.append(("ticket", symbol, side, notional))
        answer = self.tickets.pop(0) if len(self.tickets) > 1 else self.tickets[0]
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def preview(self, symbol: Symbol, side: Side, notional: Decimal) -> Ticket:
        return self.ticket(symbol, side, notional)

    async def enter(
        self, symbol: Symbol, side: Side, notional: Decimal, *, by: str, origin: str = ""
    ) -> Order:
        return self._did(("enter", symbol, side, notional, by))

    async def choose(self, name: str, *, by: str) -> None:
        self._did(("choose", name, by))

    async def regime(self) -> RegimeReading:
        self._did(("regime",))
        return self.reading

    async def cancel_order(self, order_id: str, *, origin: str = "") -> Order:
        return self._did(("cancel_order", order_id))

    async def scan(self) -> Scan:
        self._did(("scan",))
        return self.scans

    @property
    def exits(self) -> FakeTrader:
        return self

    async def move_stop(self, symbol: Symbol, price: Decimal, *, by: str, origin: str = "") -> None:
        self._did(("move_stop", symbol, price, by, origin))

    async def move_target(self, symbol: Symbol, price: Decimal, *, by: str) -> None:
        self._did(("move_target", symbol, price, by))

    def _did(self, what: tuple[Any, ...]) -> Order:
        self.asked.append(what)
        if self.broken_act:
            raise self.broken_act
        self.now = self.then or self.now
        return self.order


@dataclass
class FakeAdministration:
    """Settings, people and a log, as a process would offer them."""

    values: list[tuple[str, str]] = field(default_factory=lambda: [("bot.name", "harbour")])
    those: list[Person] = field(default_factory=lambda: [Person("anna", Role.OWNER, "Telegram")])
    lines: list[str] = field(default_factory=list)
    where: list[VenueSummary] = field(default_factory=list)
    changes: tuple[str, ...] = ()
    mistakes: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def settings(self) -> Sequence[tuple[str, str]]:
        return self.values

    def chats(self) -> Mapping[str, str]:
        return self.problems

    def venues(self) -> Sequence[VenueSummary]:
        return self.where

    def people(self) -> Sequence[Person]:
        return self.those

    async def reload(self, *, by: str) -> Sequence[str]:
        self.asked.append(f"reload by {by}")
        if self.mistakes:
            raise SettingsError(self.mistakes)
        return self.changes

    async def backup(self) -> BackedUp:
        self.asked.append("backup")
        return BackedUp(name="backups/history.db", removed=self.removed)

    async def log(self, count: int) -> Sequence[str]:
        return self.lines[-count:]


@dataclass
class FakeDesk:
    clock: ManualClock
    traders: dict[str, FakeTrader]
    latch: Latch = field(default_factory=Latch)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    broken: Exception | None = None
    ends: Reached | None = None
    """How a flatten ends before it is answered."""
    closes: tuple[Trade, ...] = ()
    """What it closed."""

    def views(self, name: str) -> FakeTrader:
        return self.traders[name]

    def manual(self, name: str) -> FakeTrader:
        return self.traders[name]

    async def pause(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        return self._engage("pause", Verb.PAUSE, scope, by, why)

    async def stop(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        return self._engage("stop", Verb.STOP, scope, by, why)

    async def flatten(self, scope: str, *, by: str, why: str, origin: str = "") -> Halting:
        halting = self._engage("flatten", Verb.FLATTEN, scope, by, why)
        if self.ends is None:
            return halting
        for swept in halting.swept:
            self.latch.reach(halting.halt.id, swept.trader, self.ends)
        halt = self.latch.get(halting.halt.id) or halting.halt
        return replace(halting, halt=halt, flat=True, closes=self.closes)

    def _engage(self, name: str, verb: Verb, scope: str, by: str, why: str) -> Halting:
        self.asked.append((name, scope, by, why))
        if self.broken:
            raise self.broken
        earlier = self.latch.strictest(scope)
        if earlier is not None:
            again = (a_sweep(total=0, cancelled=0),)
            return Halting(halt=earlier, earlier=earlier, durable=True, swept=again)
        halt = self.latch.engage(scope=scope, verb=verb, by=by, why=why, at=self.clock.now())
        self._show()
        covered = [n for n in self.traders if halt.covers(n)]
        pausing = verb is Verb.PAUSE
        swept = () if pausing else tuple(a_sweep(trader=n) for n in covered)
        return Halting(halt=halt, earlier=None, durable=True, swept=swept)

    def resume_refusal(self, halt: Halt) -> str:
        return self.refusals.get(halt.id, "")

    async def resume(
        self, halt_ids: Sequence[str], *, by: str, rebase: bool = False, origin: str = ""
    ) -> tuple[Halt, ...]:
        self.asked.append(("resume", tuple(halt_ids), by, rebase))
        lifted = tuple(self._lift(halt_id, by) for halt_id in halt_ids)
        self._show()
        return lifted

    def _lift(self, halt_id: str, by: str) -> Halt:
        halt = self.latch.get(halt_id)
        if halt is None:
            raise Refused(f"There is no halt {halt_id} in force")
        lifted = replace(halt, lifted_at=self.clock.now(), lifted_by=by)
        self.latch._halts[halt_id] = lifted
        return lifted

    def shutdown(self, *, by: str) -> None:
        self.asked.append(("shutdown", by))

    def _show(self) -> None:
        for name, trader in self.traders.items():
            trader.now = replace(trader.now, halts=self.latch.covering(name))


@dataclass
class FakeStore:
    written: list[AuditEntry] = field(default_factory=list)
    kept: dict[str, AuditEntry] = field(default_factory=dict)
    past: list[Trade] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)
    broken: Exception | None = None
    hanging: bool = False

    async def _answer(self) -> None:
        if self.hanging:
            await asyncio.get_running_loop().create_future()
        if self.broken:
            raise self.broken

    async def commit(self, change: Change, priority: object = None) -> None:
        await self._answer()
        self.written.extend(change.audit)

    async def audited(self, message_id: str) -> AuditEntry | None:
        await self._answer()
        return self.kept.get(message_id)

    async def audit(self, *, limit: int) -> list[AuditEntry]:
        await self._answer()
        return self.written[::-1][:limit]

    async def trades(self, trader: str, *, limit: int, offset: int = 0) -> list[Trade]:
        await self._answer()
        return [t for t in self.past if t.trader == trader][offset : offset + limit]

    async def day_book(self, trader: str, zone: tzinfo) -> DayBook:
        await self._answer()
        return DayBook.of(self.past, (), zone)

    async def decisions(self, trader: str, symbol: Symbol, *, limit: int) -> list[Decision]:
        await self._answer()
        return [d for d in self.decided if d.symbol == symbol][:limit]


class FakeNotices:
    """Alerts go to ben's chat and to the console; what was asked is remembered."""

    def __init__(self) -> None:
        self.chats = {
            chat: AlertPreferences(
                chat=chat, at_least=Level.INFO, muted=frozenset(), quiet="", zone="", queued=0
            )
            for chat in ("telegram:2", "console:")
        }
        self.alerts: list[Alert] = []
        self.open: list[Unanswered] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.prices: list[PriceNotice] = []
        self.unreachable: set[str] = set()
        """Chats that cannot be written to."""

    def preferences(self, chat: str) -> AlertPreferences | None:
        return self.chats.get(chat)

    async def hear(self, chat: str, *, at_least: Level, muted: frozenset[str]) -> None:
        self.chats[chat] = replace(self.chats[chat], at_least=at_least, muted=muted)

    async def told(self, chat: str, *, limit: int) -> list[Alert]:
        return [alert for alert in self.alerts if alert.to == chat][:limit]

    def unanswered(self) -> list[Unanswered]:
        return list(self.open)

    async def acknowledge(self, ids: Sequence[str], *, by: str) -> None:
        self.acknowledged += [(each, by) for each in ids]
        self.open = [each for each in self.open if each.id not in ids]

    def price_notices(self) -> list[PriceNotice]:
        return list(self.prices)

    async def notify(
        self, symbol: Symbol, *, above: bool, level: Decimal, by: str, chat: str
    ) -> PriceNotice:
        number, chat = len(self.prices) + 1, "" if chat in self.unreachable else chat
        self.prices.append(
            PriceNotice(number=number, symbol=symbol, above=above, level=level, by=by, chat=chat)
        )
        return self.prices[-1]

    async def forget(self, number: int) -> bool:
        found = [each for each in self.prices if each.number == number]
        self.prices = [each for each in self.prices if each.number != number]
        return bool(found)


CODES = ("7K3Q", "9D2M", "4T8W", "2H6P", "3F9L")

ANNA = Caller("telegram:1", "anna", Role.OWNER, "Telegram", "telegram:1")
BEN = Caller("telegram:2", "ben", Role.OPERATOR, "Telegram", "telegram:2")
CLEO = Caller("telegram:3", "cleo", Role.VIEWER, "Telegram", "telegram:3")


class House:
    """Everything a chat needs: say something, read the answer."""

    def __init__(self, *views: View) -> None:
        self.clock = ManualClock(NOW)
        traders = {v.name: FakeTrader(v) for v in views or (the_view(),)}
        self.desk = FakeDesk(self.clock, traders)
        self.store = FakeStore()
        self.codes: Iterator[str] = cycle(CODES)
        self.administration = FakeAdministration()
        self.notices = FakeNotices()
        self.services = Services(
            name="harbour",
            version="0.1.0",
            desk=cast("Any", self.desk),
            store=cast("Any", self.store),
            clock=self.clock,
            commands=COMMANDS,
            confirmations=Confirmations(self.clock, lambda: next(self.codes)),
            administration=self.administration,
            backtests=ProcessBacktests(),
            notices=self.notices,
        )
        self.dispatcher = Dispatcher(self.services)

    @property
    def trader(self) -> FakeTrader:
        return next(iter(self.desk.traders.values()))

    async def say(self, text: str, who: Caller = BEN, *, key: str = "", late: float = 0) -> Reply:
        message = Message(who, text, self.clock.now(), key)
        self.clock.advance(late)
        return checked(await self.dispatcher.handle(message))

    async def press(self, label: str, reply: Reply, who: Caller = BEN) -> Reply:
        """Press the button whose label begins so."""
        found = [c for c in reply.choices if c.label.startswith(label)]
        assert found, f"no button {label} in {reply.choices}"
        return await self.say(found[0].command, who)
