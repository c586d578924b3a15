"""The books of one trader, in memory: orders, fills, positions, plans, wallet.

Nothing here waits or writes.  Positions change by fills only, each known by its id, so hearing a
fact twice, late or out of order changes nothing.  The recorder makes history of what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from trading.accounts.applied import Applied, order_after
from trading.accounts.booking import Booked, book, opened, split
from trading.accounts.retelling import BookedFill, Retelling
from trading.accounts.round_trips import as_trade, exit_reason, first_plan
from trading.common.frozen import replace
from trading.model.plan import grown
from trading.ports import Books, recent
from trading.types import (
    ZERO,
    AccountState,
    ExitPlan,
    ExitReason,
    Fill,
    MarketRules,
    Movement,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Symbol,
    Trade,
)

REMEMBERED_ORDERS = 2_000
"""Ended orders kept in memory, so that late reports about them still find their order."""


class Ledger:
    """Orders by our id, one position and plan per symbol, and the account's sums."""

    def __init__(
        self,
        account: AccountState,
        rules: Callable[[Symbol], MarketRules],
        step: timedelta | None = None,
    ) -> None:
        """*rules* round the prices of a trade to what its market quotes.

        *step* is the length of a bar, by which rests and the pace of entries are counted; None:
        they are counted by the moment of each fill.
        """
        self._rules = rules
        self._step = step
        self.orders: dict[str, Order] = {}
        self.fills_booked = 0
        self.restore(account, Books())

    def restore(self, account: AccountState, books: Books) -> None:
        """Go on from what history has, in place of what was here."""
        self.account = account
        self.alive: dict[str, Order] = {}
        self._alive_of: dict[OrderRole, dict[str, Order]] = {role: {} for role in OrderRole}
        self._alive_in: dict[Symbol, dict[str, Order]] = {}
        """The same by role, and by symbol: few in each."""
        for order in books.orders:
            self._keep_alive(order)
        self.orders.update(self.alive)
        self.positions: dict[Symbol, Position] = {p.symbol: p for p, _ in books.positions}
        self.plans: dict[Symbol, ExitPlan] = {p.symbol: plan for p, plan in books.positions}
        self.trades: list[Trade] = list(books.recent_trades)
        self._told_before = books.recent_fills
        self._early: dict[str, OrderReport] = {}
        """Of reductions whose fills were told before those of the entry that they make smaller."""
        self.retelling = Retelling(self.positions)
        self.movements = set(books.recent_movements)
        """Ids of the money movements that are booked."""
        self._fees: dict[str, dict[str, Decimal]] = {}
        """What each fill cost, by order and fill: forgotten together with the order."""

    # -- orders ---------------------------------------------------------------------------

    def add(self, order: Order) -> None:
        """Take a new intent in.  From here on it counts as exposure: this is the reservation."""
        self.orders[order.id] = order
        self._keep_alive(order)
        if len(self.orders) > REMEMBERED_ORDERS + len(self.alive):
            self._forget_oldest()

    def adopt(self, order: Order) -> None:
        """Take in an order of ours that only the venue has; its reports say what became of it."""
        self.add(replace(order, status=OrderStatus.INTENT, filled=ZERO, average_price=None))

    def update(self, order: Order) -> Order:
        self.orders[order.id] = order
        if order.is_alive:
            self._keep_alive(order)
        else:
            self.alive.pop(order.id, None)
            self._alive_of[order.role].pop(order.id, None)
            self._end_in(order.symbol, order.id)
        return order

    def let_go(self, order: Order) -> None:
        """Forget *order*, which has ended: nothing will be heard of it, nor asked."""
        self.orders.pop(order.id, None)
        self.alive.pop(order.id, None)
        self._alive_of[order.role].pop(order.id, None)
        self._end_in(order.symbol, order.id)

    def _keep_alive(self, order: Order) -> None:
        self.alive[order.id] = order
        self._alive_of[order.role][order.id] = order
        self._alive_in.setdefault(order.symbol, {})[order.id] = order

    def _end_in(self, symbol: Symbol, order_id: str) -> None:
        alive = self._alive_in.get(symbol)
        if alive is not None and alive.pop(order_id, None) is not None and not alive:
            del self._alive_in[symbol]  # a universe brings ever new symbols

    def alive_of(self, role: OrderRole, symbol: Symbol | None = None) -> list[Order]:
        """Orders of *role* that have not ended, of one symbol or of all."""
        if symbol is None:
            return list(self._alive_of[role].values())
        alive = self._alive_in.get(symbol)
        return [order for order in alive.values() if order.role is role] if alive else []

    def alive_in(self, symbol: Symbol) -> list[Order]:
        """Orders of *symbol* that have not ended."""
        return list(self._alive_in.get(symbol, {}).values())

    def unknown(self) -> list[Order]:
        return [o for o in self.alive.values() if o.status is OrderStatus.UNKNOWN]

    def closable(self, symbol: Symbol) -> Decimal:
        """Open quantity that no exit of ours is already closing, unsigned."""
        position = self.positions.get(symbol)
        if position is None:
            return ZERO
        leaving = sum((o.remaining for o in self.alive_of(OrderRole.EXIT, symbol)), ZERO)
        return max(ZERO, abs(position.quantity) - leaving)

    # -- facts ----------------------------------------------------------------------------

    def apply(self, report: OrderReport, *, now: datetime) -> Applied | None:
        """Book what *report* says of one of our orders.  None: the order is not ours.

        A reduction never opens anything: what it sold beyond all that is open was told before the
        entry was, and waits for it (see `ripe`, `concede`).  Its order does not end before that.
        """
        before = self.orders.get(report.order_id)
        if before is None:
            return None
        report = self._without_early(before, report)
        booked: list[Booked] = []
        trades: list[Trade] = []
        for fill in report.fills:
            if self._is_booked(before, fill):
                continue
            done, ended = self._booked(before, fill)
            booked.append(done)
            trades += ended
        order = order_after(before, report, [done.fill for done in booked], now)
        if order is not before:
            self.update(order)
        return Applied(before=before, order=order, booked=tuple(booked), trades=tuple(trades))

    def settle(self, order: Order, fill: Fill) -> Trade | None:
        """Book *fill*, the only one of *order*, which has ended with it.

        As `apply`, for who knows that nothing is told early, late or twice: it remembers neither.
        Returns the round trip that it ends.
        """
        self.fills_booked += 1
        if fill.symbol not in self.positions:
            self.change_account(wallet=self.account.wallet - fill.fee)
            position = opened(fill, paced_from=self._bar_behind(order, fill.at))
            self.positions[fill.symbol] = position
            self.plans[fill.symbol] = first_plan(order, position)
            return None
        done = self._moved(order, book(self.positions[fill.symbol], fill))
        return None if done.closed is None else self._trade(done.closed, order, fill)

    def reduce(self, fill: Fill, *, sent_at: datetime, reason: ExitReason) -> Trade | None:
        """As `settle`, of a reduction at market that was sent at the close of a bar, *sent_at*."""
        self.fills_booked += 1
        symbol = fill.symbol
        done = book(self.positions[symbol], fill)
        self.change_account(wallet=self.account.wallet + done.profit - fill.fee)
        if done.after is not None:
            self.positions[symbol] = done.after
            return None
        del self.positions[symbol], self.plans[symbol]
        if done.closed is None:
            return None
        bar = self._bar_of(fill.at, sent_at)
        return self._keep_trade(done.closed, fill, rest_from=bar, reason=reason, by="")

    def ripe(self, symbol: Symbol) -> list[OrderReport]:
        """What was told too early, and can be booked now."""
        early = ((self.orders[order_id], report) for order_id, report in self._early.items())
        return [
            report
            for order, report in early
            if order.symbol == symbol and self._fitting(order, report.fills)
        ]

    def told_early(self) -> list[OrderReport]:
        """What still waits."""
        return list(self._early.values())

    def concede(self, *, cash: bool) -> tuple[OrderReport, Decimal] | None:
        """Give up waiting for the entry of one reduction; None: nothing waits.

        Returns what of it can be booked, and the quantity beyond: that was a stranger's, and where
        *cash*, so is what was paid for it.
        """
        if not self._early:
            return None
        report = self._early.pop(next(iter(self._early)))
        room, parts, beyond = self._room(self.orders[report.order_id]), list[Fill](), ZERO
        for fill in report.fills:
            fits = min(room, fill.quantity)
            part, rest = split(fill, fits)
            room, beyond = room - fits, beyond + rest.quantity
            if fits:
                parts.append(part)
            else:
                self._fees.setdefault(fill.order_id, {})[fill.id] = ZERO
            if cash:
                self.shift_offset(-rest.signed_quantity * rest.price - rest.fee)
        return replace(report, fills=tuple(parts)), beyond

    def set_plan(self, symbol: Symbol, plan: ExitPlan) -> None:
        """Replace the plan of an open position; its row gets a new version."""
        self.plans[symbol] = plan
        position = self.positions[symbol]
        self.positions[symbol] = replace(position, version=position.version + 1)

    def change_account(self, **changes: object) -> AccountState:
        self.account = replace(self.account, version=self.account.version + 1, **changes)  # type: ignore[arg-type]  # replace checks the names
        return self.account

    def move_balance(self, amount: Decimal) -> AccountState:
        """Take *amount* (negative: away) into the wallet without profit or loss.

        As by a deposit: what days, weeks and drawdown are measured from moves alike.
        """
        self.change_account(wallet=self.account.wallet + amount)
        return self.move_baselines(amount)

    def move_baselines(self, amount: Decimal, *, least: Decimal | None = None) -> AccountState:
        """Move what days, weeks and drawdown are measured from by *amount*, all alike.

        Where nothing would be left of one, it is measured from *least* instead.
        """
        now = self.account
        moved = {name: getattr(now, name) + amount for name in ("peak", "day_start", "week_start")}
        floor = least if least is not None and least > ZERO else None
        return self.change_account(
            **{name: value if value > ZERO else floor or value for name, value in moved.items()}
        )

    def move(self, movement: Movement, *, ours: bool) -> None:
        """Book money that came or went without a fill, once.

        *ours*: it is profit or loss; else it lies beside our money, and nothing else changes.
        """
        if movement.id in self.movements:
            return
        self.movements.add(movement.id)
        if ours:
            self.change_account(wallet=self.account.wallet + movement.amount)
        else:
            self.shift_offset(movement.amount)

    def shift_offset(self, amount: Decimal) -> AccountState:
        return self.change_account(offset=(self.account.offset or ZERO) + amount)

    # -- sums -----------------------------------------------------------------------------

    def at_venue(self, *, cash: bool) -> Decimal:
        """What the venue should tell of: our money, less what is paid for coins, and the offset."""
        paid = sum((p.quantity * p.average_price for p in self.positions.values()), ZERO)
        return self.account.wallet - (paid if cash else ZERO) + (self.account.offset or ZERO)

    def held_at(self, symbol: Symbol, at: datetime) -> bool:
        """Whether *symbol* was held at *at*, as far as this process remembers."""
        position = self.positions.get(symbol)
        if position is not None and position.opened_at <= at:
            return True
        trades = (t for t in self.trades if t.symbol == symbol)
        return any(t.opened_at <= at <= t.closed_at for t in trades)

    def equity(self, marks: dict[Symbol, Decimal]) -> Decimal | None:
        """Wallet plus open profit at *marks*; None if an open position has no mark."""
        if not self.positions.keys() <= marks.keys():
            return None
        open_profit = (p.open_profit(marks[s]) for s, p in self.positions.items())
        return self.account.wallet + sum(open_profit, ZERO)

    def fees_of(self, order_id: str) -> Decimal:
        """Fees of its fills, as far as this process has booked them."""
        return sum(self._fees.get(order_id, {}).values(), ZERO)

    def closed_since(self, begin: datetime) -> int:
        """How many round trips were closed from *begin* on, at most a week ago."""
        return sum(trade.closed_at >= begin for trade in self.trades)

    def last_trades(self) -> dict[Symbol, Trade]:
        """Of each symbol the round trip that was closed last."""
        return {trade.symbol: trade for trade in reversed(self.trades)}

    # -- inside ---------------------------------------------------------------------------

    def _without_early(self, order: Order, report: OrderReport) -> OrderReport:
        """What of *report*, and of what waited, can be booked now; the rest is kept."""
        early = self._early.pop(order.id, None)
        if order.role is OrderRole.ENTRY:
            return report
        if early is not None:
            fills = {fill.id: fill for fill in (*early.fills, *report.fills)}
            ended = early if early.status.is_terminal else report
            report = replace(report, status=ended.status, fills=tuple(fills.values()))
        new = tuple(fill for fill in report.fills if not self._is_booked(order, fill))
        now = self._fitting(order, new)
        if len(now) == len(new):
            return report
        self._early[order.id] = replace(report, fills=new[len(now) :])
        status = OrderStatus.OPEN if report.status.is_terminal else report.status
        return replace(report, status=status, fills=now)

    def _fitting(self, order: Order, fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
        """The first of *fills*, of a reduction, that open nothing."""
        room, count = self._room(order), 0
        for fill in fills:
            room -= fill.quantity
            if room < ZERO and (count or self._retold(order, fill) is None):
                break
            count += 1
        return fills[:count]

    def _retold(self, order: Order, late: Fill) -> Sequence[BookedFill] | None:
        """All of its symbol in the venue's order; None where that does not lead to what is open."""
        retold = self.retelling.with_late(order, late)
        now = self.positions.get(late.symbol)
        wanted = (now.quantity if now else ZERO) + late.signed_quantity
        after = retold[-1].booked.after if retold else None
        return retold if (after.quantity if after else ZERO) == wanted else None

    def _room(self, order: Order) -> Decimal:
        """What is open for *order* to make smaller, unsigned."""
        position = self.positions.get(order.symbol)
        return abs(position.quantity) if position and position.side is not order.side else ZERO

    def _booked(self, order: Order, fill: Fill) -> tuple[Booked, list[Trade]]:
        """Book *fill*; return what it did, and the round trips that it ended."""
        if order.role is not OrderRole.ENTRY and fill.quantity > self._room(order):
            retold = self._retold(order, fill)
            if retold is not None:
                self._note_booked(order, fill)
                return self._book_late(fill, retold)
        done = self._book(order, fill)
        return done, [self._trade(done.closed, order, fill)] if done.closed is not None else []

    def _note_booked(self, order: Order, fill: Fill) -> None:
        self._fees.setdefault(order.id, {})[fill.id] = fill.fee
        self.fills_booked += 1

    def _book(self, order: Order, fill: Fill) -> Booked:
        self._note_booked(order, fill)
        done = book(self.positions.get(fill.symbol), fill)
        self.retelling.remember(order, done)
        return self._moved(order, done)

    def _moved(self, order: Order, done: Booked) -> Booked:
        """Keep what a fill of *order* did to wallet, position and plan."""
        fill = done.fill
        self.change_account(wallet=self.account.wallet + done.profit - fill.fee)
        if fill.fee_elsewhere and self.account.offset is not None:
            self.shift_offset(fill.fee_elsewhere)
        if done.after is None:
            del self.positions[fill.symbol]
            del self.plans[fill.symbol]
            return done
        after = done.after
        if done.before is None or done.closed is not None:
            after = replace(after, paced_from=self._bar_behind(order, fill.at))
        self.positions[fill.symbol] = after
        self.plans[fill.symbol] = self._plan_after(order, done, after)
        return replace(done, after=after)

    def _book_late(self, fill: Fill, retold: Sequence[BookedFill]) -> tuple[Booked, list[Trade]]:
        """Book *fill* where it belongs: what came after it met another position than was booked."""
        symbol, gained = fill.symbol, self.retelling.change(fill.symbol, retold)
        self.change_account(wallet=self.account.wallet + gained - fill.fee)
        index = next(i for i, each in enumerate(retold) if each.booked.fill is fill)
        before, after = self.positions.get(symbol), retold[-1].booked.after
        if after is not None and before is not None:
            after = replace(after, version=max(after.version, before.version + 1))
        trades = [
            self._trade(each.booked.closed, each.order, each.booked.fill)
            for each in retold[index:]
            if each.booked.closed is not None
        ]
        self._keep_position(symbol, before, after, [each.order for each in retold])
        return replace(retold[index].booked, before=before, after=after), trades

    def _keep_position(
        self,
        symbol: Symbol,
        before: Position | None,
        after: Position | None,
        owners: Sequence[Order],
    ) -> None:
        """*after* is found to be open in place of *before*, by an order of *owners*."""
        if after is None:
            self.positions.pop(symbol, None)
            self.plans.pop(symbol, None)
            return
        self.positions[symbol] = after
        if before is None or before.id != after.id:
            opened = next(order for order in owners if order.id == after.id)
            self.plans[symbol] = first_plan(opened, after)

    def _is_booked(self, order: Order, fill: Fill) -> bool:
        return fill.id in self._told_before or fill.id in self._fees.get(order.id, {})

    def _plan_after(self, order: Order, done: Booked, after: Position) -> ExitPlan:
        held = None if done.closed is not None else self.plans.get(after.symbol)
        if held is None:
            return first_plan(order, after)
        if after.entered != (done.before.entered if done.before else ZERO):
            return grown(held, size=after.entered, entry=after.average_price)
        return held

    def _trade(self, closed: Position, order: Order, fill: Fill) -> Trade:
        bar = self._bar_behind(order, fill.at)
        return self._keep_trade(closed, fill, rest_from=bar, reason=exit_reason(order), by=order.by)

    def _keep_trade(
        self, closed: Position, fill: Fill, *, rest_from: datetime, reason: ExitReason, by: str
    ) -> Trade:
        trade = as_trade(
            closed,
            rules=self._rules(fill.symbol),
            side=fill.side.opposite,
            at=fill.at,
            rest_from=rest_from,
            reason=reason,
            by=by,
        )
        self.trades = [known for known in self.trades if known.id != trade.id]
        self.trades.insert(0, trade)
        del self.trades[recent(self.trades) :]
        return trade

    def _bar_behind(self, order: Order, at: datetime) -> datetime:
        """Close of the bar that a fill of *order* at *at* counts to, live as in a backtest.

        What a bar's cycle sent to be filled at once counts to that bar, though it left and was
        filled a moment after the close; anything else to the bar that holds the fill.
        """
        if order.type is not OrderType.MARKET or order.market_at is None:
            return self._close_after(at)
        return self._bar_of(at, order.market_at)

    def _bar_of(self, at: datetime, cause: datetime) -> datetime:
        """The same, of an order at market that was sent at *cause*."""
        if self._step is None:
            return self._close_after(at)
        of_a_cycle = cause == self._close_after(cause)
        return cause if of_a_cycle and at < cause + self._step else self._close_after(at)

    def _close_after(self, at: datetime) -> datetime:
        """The close at or after *at*; bars lie as the last one that was handled."""
        cursor = self.account.cursor
        if self._step is None or cursor is None or at == cursor:
            return at
        return cursor - (cursor - at) // self._step * self._step

    def _forget_oldest(self) -> None:
        ended = (key for key, order in self.orders.items() if not order.is_alive)
        for key in list(_first(ended, REMEMBERED_ORDERS // 4)):
            del self.orders[key]
            self._fees.pop(key, None)
            self._early.pop(key, None)


def _first(items: Iterable[str], count: int) -> Iterable[str]:
    for _, item in zip(range(count), items, strict=False):
        yield item
