"""What people see of a trader: everything at one instant, and what is known of a price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from trading.accounts.recorder import Recorder
from trading.accounts.views import HoldingView, Price, View
from trading.clocks import Clock
from trading.cycle.doubt_watch import DoubtWatch
from trading.cycle.outages import FeedWatch, VenueWatch
from trading.model.cover import Cover
from trading.model.halt import Latch
from trading.ports import FeedState
from trading.risk.cooldown import streak, symbol_rests
from trading.risk.drawdown import day_begin, day_end
from trading.safety.desk_limits import DeskRisk
from trading.trader import Trader
from trading.types import ZERO, OrderType, Quote, Symbol, Untraded


class _Resting(NamedTuple):
    """What rests for a position, and all that this was found from."""

    basis: tuple[object, ...]
    stop: bool
    target: bool
    cover: Cover


class TraderViews:
    def __init__(
        self,
        trader: Trader,
        *,
        latch: Latch,
        desk_risk: DeskRisk,
        feed_watch: FeedWatch,
        doubt_watch: DoubtWatch,
        venue_watch: VenueWatch,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._trader = trader
        self._latch = latch
        self._desk_risk = desk_risk
        self._feed_watch = feed_watch
        self._doubt_watch = doubt_watch
        self._venue_watch = venue_watch
        self._recorder = recorder
        self._clock = clock
        self._resting: dict[Symbol, _Resting] = {}
        """Of what is held, as it was seen last."""

    def view(self) -> View:
        """Everything about this trader at this instant."""
        trader = self._trader
        market = trader.feed.now()
        known, known_at = trader.valuer.noted
        symbols = trader.symbols
        quotes = trader.valuer.quotes({*symbols, *trader.valuer.priced()})
        equity, at_work = trader.valuer.worth(quotes)
        account = trader.ledger.account
        holdings = self._holdings(quotes, market)
        if any(h.stale and not h.apart for h in holdings):
            equity = None
        apart = trader.valuer.apart_profit()
        newest = max((quotes[symbol].at for symbol in symbols if symbol in quotes), default=None)
        halts = self._latch.covering(trader.name)
        return View(
            name=trader.name,
            mode=trader.mode,
            quote=trader.settings.quote,
            strategy=trader.strategy.name,
            timeframe=trader.settings.timeframe,
            limits=trader.settings.limits,
            ready=trader.ready,
            as_of=self._clock.now(),
            market=market,
            replay_speed=trader.settings.replay_speed,
            equity=equity,
            known_equity=known,
            known_equity_at=known_at,
            wallet=account.wallet,
            open_profit=None if equity is None else equity - account.wallet - apart,
            apart_profit=apart,
            writes_off=trader.venue.writes_off,
            today=None if equity is None else equity - account.day_start,
            day_start=account.day_start,
            week_start=account.week_start,
            peak=account.peak,
            drawdown=trader.losses.guards.lost("drawdown", equity),
            exposure=sum(at_work.values(), ZERO),
            exposures=at_work,
            holdings=holdings,
            orders=tuple(trader.ledger.alive.values()),
            halts=tuple(sorted(halts, key=lambda h: (-h.verb, h.at))),
            rest=trader.block or trader.cycles.bars.rests.why(market),
            symbol_rests=symbol_rests(trader.ledger.last_trades(), trader.settings.limits, market),
            feed=self._feed_watch.state,
            price_age=None if newest is None else market - newest,
            asked_at=trader.orders.line.answered_at,
            day_ends_in=day_end(market, trader.settings.zone) - market,
            venue_silent=self._venue_watch.silent,
            unsaved=self._recorder.unsaved,
            last_cycle=trader.cycles.last,
            last_look=trader.cycles.last_look,
            cycle_every=trader.settings.cycle_every,
            symbols=len(trader.universe.symbols),
            trades_today=trader.ledger.closed_since(day_begin(market, trader.settings.zone)),
            losses_in_row=streak(trader.ledger.trades, trader.settings.limits, market).losses,
            untraded={
                symbol: why for symbol in trader.universe.symbols if (why := self._untraded(symbol))
            },
            parameters=trader.settings.parameters,
            desk=self._desk_risk.use(),
            blocked=trader.block,
            delayed=trader.books.delayed,
            holding_up=trader.enforcer.problem,
            tries=trader.enforcer.tries,
            unproven=trader.books.unproven(),
            doubts=self._doubt_watch.seen,
            sources=tuple(trader.feed.sources),
            refused_until=trader.venue.refuses_until,
        )

    def price(self, symbol: Symbol) -> Price:
        """What is known of the price of *symbol* now."""
        trader = self._trader
        market, quote = trader.feed.now(), trader.valuer.quote(symbol)
        began = trader.valuer.quote(symbol, day_begin(market, trader.settings.zone))
        age = None if quote is None else market - quote.at
        return Price(
            symbol=symbol,
            rules=trader.steps(symbol),
            untraded=self._untraded(symbol),
            quote=quote,
            age=age,
            stale=self._too_old(age),
            day_open=None if began is None else began.price,
        )

    def _holdings(
        self, quotes: Mapping[Symbol, Quote], market: datetime
    ) -> tuple[HoldingView, ...]:
        held = self._trader.ledger.positions
        self._resting = {symbol: self._rests(symbol) for symbol in held}
        return tuple(self._holding(symbol, quotes.get(symbol), market) for symbol in held)

    def _rests(self, symbol: Symbol) -> _Resting:
        """As it was seen last, where all that it goes by is the same: frozen values, each of it."""
        protection, seen = self._trader.protection, self._resting.get(symbol)
        basis = protection.basis(symbol)
        if seen is not None and seen.basis == basis:
            return seen
        return _Resting(
            basis,
            stop=protection.confirmed(symbol),
            target=protection.confirmed(symbol, OrderType.TARGET),
            cover=protection.covers.of(symbol),
        )

    def _holding(self, symbol: Symbol, quote: Quote | None, market: datetime) -> HoldingView:
        trader, rests = self._trader, self._resting[symbol]
        age = None if quote is None else market - quote.at
        return HoldingView(
            position=trader.ledger.positions[symbol],
            plan=trader.ledger.plans[symbol],
            rules=trader.steps(symbol),
            untraded=self._untraded(symbol),
            apart=symbol in trader.aside.apart,
            quote=quote,
            age=age,
            stale=self._too_old(age),
            stop_on_venue=rests.stop,
            target_on_venue=rests.target,
            cover=rests.cover,
        )

    def _untraded(self, symbol: Symbol) -> str:
        rules = self._trader.rules(symbol)
        return rules.why if isinstance(rules, Untraded) else ""

    def _too_old(self, age: timedelta | None) -> bool:
        """Whether a price of that age is not to be believed; a replay's last one always is."""
        if age is None or age <= self._trader.settings.limits.max_price_age:
            return age is None
        return self._trader.feed.state() is not FeedState.ENDED
