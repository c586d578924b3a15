"""Comparing our books with the venue's, at start, after each reconnect, and now and then.

The venue is right about what happened; our books are right about whose it was.  Missed fills are
booked and told; a position that shrank without us is booked as EXTERNAL; an increase or a
stranger's order is reported and left alone.  Money is compared as a sum: ours, and an offset for
what lies beside it.  A difference is first looked for among funding and transfers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.clocks import Clock
from trading.context.trader import TraderContext
from trading.events import (
    BooksDiffered,
    Event,
    ForeignHoldingSeen,
    FundingBooked,
    LiquidationBooked,
    TransferSeen,
)
from trading.execution.evidence import CLOCKS_DIFFER, Evidence, Unproven
from trading.execution.orders import Orders
from trading.ports import Change, WritePriority
from trading.types import (
    ONE,
    ZERO,
    ExitReason,
    Fill,
    Held,
    Movement,
    MovementKind,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    Side,
    Symbol,
)

SMALLEST_DIFFERENCE = Decimal("0.01")
"""Of two wallets, in quote currency; less is rounding."""
BELIEVED = Decimal("0.05")
"""How far from the last price, as a share, a price that follows from the wallet may lie."""
ELSEWHERE = "closed by hand, or by another program"
WITH_ITS_MARKET = "nobody trades it any more, and the exchange settled, swapped or took it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    unknown: int
    """Orders that were in doubt and are resolved now."""
    missed_fills: int
    problems: tuple[str, ...]
    """What still differs; entries wait while there is any."""
    gap: Decimal = ZERO
    """Money that the venue has more than our books, in quote currency; 0 within rounding."""
    ours: Decimal = ZERO
    """What the venue's wallet should be by our books."""
    lost: int = 0
    """Orders of ours that history lacked, and that opened, closed or would open something."""
    unproven: tuple[Unproven, ...] = ()
    only_acceptable: bool = False
    """A person may accept all that still differs."""


@dataclass(frozen=True, slots=True)
class _Theirs:
    positions: Mapping[Symbol, Held]
    wallet: Decimal


@dataclass(frozen=True, slots=True)
class _Gone:
    """What left a position of ours without us; unsigned."""

    symbol: Symbol
    ours: Decimal
    """Signed, before."""
    quantity: Decimal
    held: Held


class Reconciler:
    def __init__(
        self,
        *,
        context: TraderContext,
        orders: Orders,
        valuer: Valuer,
        recorder: Recorder,
        quote: str,
        evidence: Evidence,
    ) -> None:
        """*quote*: the currency that the account counts in."""
        self.evidence = evidence
        self._context = context
        self._quote = quote
        self._orders = orders
        self._ledger = orders.ledger
        self._venue = orders.venue
        self._valuer = valuer
        self._recorder = recorder
        self._clock = context.clock
        self._told: dict[tuple[Symbol, Side], Decimal] = {}
        """Foreign quantities that people have heard of."""

    def foreign(self, symbol: Symbol, side: Side) -> Decimal:
        """What the last comparison found to be a stranger's, unsigned."""
        return self._told.get((symbol, side), ZERO)

    async def run(self, *, deep: bool = False) -> Reconciled | None:
        """Compare everything once.  None: orders were under way, so it could not be compared.

        *deep*: look also for orders of ours that have ended, and that history lacks.  Raises
        `VenueError` if the venue cannot be asked.
        """
        in_doubt = [o for o in self._ledger.alive.values() if o.status is not OrderStatus.OPEN]
        fills_before = self._ledger.fills_booked
        known = await self._orders.ask_all(list(self._ledger.alive.values()))
        await self._orders.outcomes.absorb_all([*known, *await self.evidence.gather(deep=deep)])
        missed = self._ledger.fills_booked - fills_before
        theirs = await self._while_quiet()
        if theirs is None:
            return None
        lost = await self.evidence.judge(theirs.positions)
        await self._concede()
        gap = await self._explain(theirs.wallet)
        unproven = self.evidence.unproven.values()
        acceptable = {each.words for each in unproven}
        problems = [
            *acceptable,
            *await self._compare_positions(theirs.positions, gap, acceptable),
        ]
        ours = self._ours()
        gap = self._gap(theirs.wallet)
        if gap:
            wallets = f"the venue's wallet is {theirs.wallet:.2f}, ours {ours:.2f}"
            problems.append(wallets)
            acceptable.add(wallets)
        else:
            self._ledger.change_account(equal_at=self._clock.now())
        return Reconciled(
            unknown=sum(not self._is_unknown(o) for o in in_doubt),
            missed_fills=missed,
            problems=tuple(problems),
            gap=gap,
            ours=ours,
            lost=lost,
            unproven=tuple(unproven),
            only_acceptable=acceptable.issuperset(problems),
        )

    async def _while_quiet(self) -> _Theirs | None:
        """What the venue holds, if nothing of ours moved while it was asked."""
        before = self._ledger.fills_booked
        theirs = _Theirs(await self._venue.positions(), await self._venue.wallet())
        moved = self._ledger.fills_booked != before
        moving = any(o.status is not OrderStatus.OPEN for o in self._ledger.alive.values())
        return None if moved or moving else theirs

    def _is_unknown(self, order: Order) -> bool:
        return self._ledger.orders[order.id].status is OrderStatus.UNKNOWN

    async def _concede(self) -> None:
        """Everything is told: what a reduction of ours sold beyond our position was not ours."""
        await self.evidence.retell()
        for order, excess in self._orders.outcomes.concede():
            position = self._ledger.positions.get(order.symbol)
            ours = position.quantity if position else ZERO
            done = f"our order {order.id} took {excess:f} more than we held; that was not ours"
            await self._tell(order.symbol, ours, ours + excess * order.side.sign, done)

    # -- money ----------------------------------------------------------------------------

    def _ours(self) -> Decimal:
        return self._ledger.at_venue(cash=self._venue.cash)

    def _gap(self, theirs: Decimal) -> Decimal:
        gap = theirs - self._ours()
        return ZERO if abs(gap) < SMALLEST_DIFFERENCE else gap

    async def _explain(self, theirs: Decimal) -> Decimal:
        """Book what explains the difference; return what is left of it."""
        if self._ledger.account.offset is None:
            await self._measure(theirs)
        elif self._gap(theirs):
            await self._book(await self._news())
        return self._gap(theirs)

    async def _measure(self, theirs: Decimal) -> None:
        """At the first comparison ever: whatever lies there besides our capital is not ours."""
        known = tuple((self._context.name, movement) for movement in await self._news())
        self._ledger.movements.update(m.id for _, m in known)  # the wallet has them already
        self._ledger.shift_offset(theirs - self._ours())
        change = Change(accounts=(self._ledger.account,), movements=known)
        await self._recorder.keep(change, WritePriority.FILL)

    async def _news(self) -> Sequence[Movement]:
        since = (self._ledger.account.equal_at or self._clock.now()) - CLOCKS_DIFFER
        found = await self._venue.movements(since)
        return [m for m in found if m.id not in self._ledger.movements]

    async def _book(self, news: Sequence[Movement]) -> None:
        if not news:
            return
        events = []
        for movement in news:
            ours = self._is_ours(movement)
            self._ledger.move(movement, ours=ours)
            events.append(self._event(movement, ours=ours))
        moved = tuple((self._context.name, movement) for movement in news)
        change = Change(accounts=(self._ledger.account,), movements=moved)
        await self._recorder.keep(change, WritePriority.FILL, *events)

    def _is_ours(self, movement: Movement) -> bool:
        """Funding and forced closes of what we hold; everything else lies beside our money."""
        if movement.kind is MovementKind.TRANSFER or movement.symbol is None:
            return False
        return self._ledger.held_at(movement.symbol, movement.at)

    def _event(self, movement: Movement, *, ours: bool) -> Event:
        symbol, amount = movement.symbol, movement.amount
        if not ours or symbol is None:
            return TransferSeen(amount=amount, quote=self._quote, **self._context.about())
        if movement.kind is MovementKind.FUNDING:
            return FundingBooked(symbol=symbol, amount=amount, **self._context.about())
        return LiquidationBooked(
            amount=amount, quote=symbol.quote, symbol=symbol, **self._context.about()
        )

    # -- positions ------------------------------------------------------------------------

    async def _compare_positions(
        self, theirs: Mapping[Symbol, Held], gap: Decimal, acceptable: set[str]
    ) -> list[str]:
        """What differs; of that, what a person may accept joins *acceptable*."""
        gone = list(self._gone(theirs))
        for one in gone:
            await self._book_external(one, gap if len(gone) == 1 else None)
        problems = [
            await self._foreign(symbol, side, held.on(side), acceptable)
            for symbol, held in sorted(theirs.items())
            for side in Side
        ]
        self._told = {key: q for key, q in self._told.items() if key[0] in theirs}
        return [p for p in problems if p]

    def _gone(self, theirs: Mapping[Symbol, Held]) -> Sequence[_Gone]:
        found = []
        for symbol, position in sorted(self._ledger.positions.items()):
            held = theirs.get(symbol, Held())
            missing = abs(position.quantity) - held.on(position.side)
            if missing > ZERO:
                found.append(_Gone(symbol, position.quantity, missing, held))
        return found

    async def _foreign(
        self, symbol: Symbol, side: Side, held: Decimal, acceptable: set[str]
    ) -> str:
        """Say once what is too much, and leave it alone; return why entries wait, if they do."""
        position = self._ledger.positions.get(symbol)
        ours = abs(position.quantity) if position and position.side is side else ZERO
        foreign = held - ours
        if foreign <= self.evidence.accepted_beside(symbol, side):
            self._told.pop((symbol, side), None)
            return ""
        is_news = self._told.get((symbol, side)) != foreign
        self._told[symbol, side] = foreign
        if self._venue.cash:
            if is_news and foreign >= self._venue.rules(symbol).shown.lot:
                about = self._context.about_symbol(symbol)
                await self._recorder.say(ForeignHoldingSeen(quantity=foreign, **about))
            return ""
        if is_news:
            done = "left untouched; entries wait"
            await self._tell(symbol, ours * side.sign, held * side.sign, done)
        words = f"{symbol.base}: {foreign * side.sign} at the venue is not ours"
        if self.evidence.leaves_open(symbol, side):
            acceptable.add(words)
        return words

    async def _book_external(self, gone: _Gone, gap: Decimal | None) -> None:
        """Book what is gone as EXTERNAL, with the reason in words."""
        seen = self._orders.outcomes.foreign_orders.reduced(gone.symbol)
        why = (seen.why if seen else "") or self._gone_how(gone.symbol)
        price = self._price(gone, gap, seen.price if seen else None)
        side = Side.SELL if gone.ours > ZERO else Side.BUY
        order = self._orders.prepare(
            symbol=gone.symbol, side=side, role=OrderRole.EXIT,
            quantity=gone.quantity, reason=ExitReason.EXTERNAL.value,
        )  # fmt: skip
        self._orders.outcomes.hear(_external_report(order, price, why, self._clock))
        await self._recorder.settle()
        venue = gone.held.on(side.opposite) * side.opposite.sign
        done = f"{gone.quantity} booked as closed elsewhere: {why}"
        await self._tell(gone.symbol, gone.ours, venue, done)

    def _gone_how(self, symbol: Symbol) -> str:
        return WITH_ITS_MARKET if symbol in self._valuer.apart else ELSEWHERE

    def _price(self, gone: _Gone, gap: Decimal | None, seen: Decimal | None) -> Decimal:
        """What it was closed at: as the wallet tells, if that is believable; else as was *seen*,
        or the last price.

        *gap*: how much more the venue's wallet has; None if more than this may be why.  Of what
        nobody trades the wallet alone tells; without money nothing was paid for it.
        """
        position = self._ledger.positions[gone.symbol]
        apart = self._valuer.apart.get(gone.symbol)
        quote = self._valuer.quote(gone.symbol)
        mark = seen or apart or (quote.price if quote else position.average_price)
        if gap is None:
            return mark if apart is None else apart
        gained = gap / gone.quantity
        told = gained if self._venue.cash else position.average_price + gained * position.side.sign
        if apart is not None:
            return max(told, ZERO)
        return told if abs(told / mark - ONE) <= BELIEVED else mark

    # -- telling --------------------------------------------------------------------------

    async def _tell(self, symbol: Symbol, ours: Decimal, venue: Decimal, done: str) -> None:
        told = BooksDiffered(
            ours=ours, venue=venue, done=done, **self._context.about_symbol(symbol)
        )
        await self._recorder.say(told)


def _external_report(order: Order, price: Decimal, why: str, clock: Clock) -> OrderReport:
    fill = Fill(
        id=f"external-{order.id}",
        order_id=order.id,
        trader=order.trader,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=price,
        fee=ZERO,
        at=clock.now(),
    )
    return OrderReport(
        order_id=order.id, status=OrderStatus.FILLED, filled=order.quantity, fills=(fill,), note=why
    )
