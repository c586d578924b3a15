"""OKX's paths that find: orders, stops under their kind, and fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.servers.exchange import orders
from tests.servers.exchange.figures import DAY, INTERVALS
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.paging import between
from tests.servers.exchange.values import Trade
from tests.servers.exchange.wires.base import Ask, Said, Site
from tests.servers.exchange.wires.okx import rendering
from tests.servers.exchange.wires.okx.market import Market
from tests.servers.exchange.wires.okx.words import absent, parameter

Json = Any
T = TypeVar("T")
PAGE = 100
UNFILLED_FOR = 2 * INTERVALS["1h"]
"""How long an order that ended without a fill is told."""
STATES = {"live", "partially_filled", "filled", "canceled"}


class Finding:
    """Each public method but `one` and `one_algo` is a path's."""

    def __init__(self, site: Site, market: Market) -> None:
        self._engine = site.engine
        self._market = market

    def one(self, ask: Ask, code: str) -> Shown | None:
        """By `ordId`, else the latest of a `clOrdId`; of what is (or was) in the book."""
        number, name = ask.text("ordId"), ask.text("clOrdId")
        if not number and not name:
            raise Said(code, "Either client order ID or order ID is required.", 400)
        found = [shown for shown in orders.orders(self._engine) if shown.child is not None]
        named = [
            shown
            for shown in found
            if (str(shown.order_id) == number if number else own_id(shown) == name)
            and not ask.hidden(shown.client_id)
        ]
        return named[-1] if named else None

    def one_algo(self, ask: Ask) -> Shown | None:
        number, name = ask.text("algoId"), ask.text("algoClOrdId")
        if not number and not name:
            raise Said("51000", "Parameter algoId error", 400)
        named = [
            shown
            for shown in self._stops(ask)
            if (str(shown.stop_id) == number if number else shown.wish.client_id == name)
        ]
        return named[-1] if named else None

    def _stops(self, ask: Ask) -> list[Shown]:
        found = orders.orders(self._engine)
        return [shown for shown in found if shown.stop and not ask.hidden(shown.client_id)]

    def order(self, ask: Ask) -> Json:
        symbol, shown = self._market.symbol(ask), self.one(ask, "51003")
        if shown is None or shown.symbol != symbol or self._is_gone(shown):
            raise _not_found()
        return [rendering.order(self._engine, shown)]

    def algo(self, ask: Ask) -> Json:
        shown = self.one_algo(ask)
        if shown is None:
            raise _not_found()
        return [rendering.algo(self._engine, shown)]

    def pending(self, ask: Ask) -> Json:
        kinds = ask.text("ordType")
        found = [
            shown
            for shown in self._placed(ask)
            if shown.is_open
            and (not kinds or rendering.order_type(shown) in kinds.split(","))
            and ask.text("state") in {"", rendering.state(shown)}
        ]
        return self._page(ask, found, _order_id, self._rendered)

    def history(self, ask: Ask) -> Json:
        """Ended orders of seven days; those without a fill for two hours."""
        return self._history(ask, 7 * DAY)

    def archive(self, ask: Ask) -> Json:
        """Of three months, and only what was filled at least in part."""
        return self._history(ask, 90 * DAY, filled=True)

    def _history(self, ask: Ask, span: int, *, filled: bool = False) -> Json:
        if not ask.text("instType"):
            raise absent("instType")
        wanted = ask.text("state")
        if wanted and wanted not in STATES:
            raise parameter("state")
        since = max(ask.integer("begin"), self._engine.now - span)
        found = [
            shown
            for shown in self._placed(ask)
            if not shown.is_open
            and wanted in {"", rendering.state(shown)}
            and not self._is_gone(shown)
            and (shown.filled or not filled)
        ]
        found = between(found, lambda shown: shown.created, since, ask.integer("end"))
        return self._page(ask, found, _order_id, self._rendered)

    def _placed(self, ask: Ask) -> list[Shown]:
        """What is or was in the book, of what is asked about."""
        kind, only = ask.text("instType"), ask.text("instId")
        return [
            shown
            for shown in orders.orders(self._engine)
            if shown.child is not None
            and kind in {"", "ANY", rendering.instrument_type(self._engine)}
            and only in {"", rendering.instrument(self._engine, shown.symbol)}
            and not ask.hidden(shown.client_id)
        ]

    def algos_pending(self, ask: Ask) -> Json:
        """Of one `ordType` (`conditional` and `oco` may be asked for together)."""
        found = [shown for shown in self._algos_of(ask) if rendering.algo_state(shown) == "live"]
        return self._page(ask, found, _stop_id, self._rendered_algo)

    def algos_history(self, ask: Ask) -> Json:
        """Needs a `state`, or an `algoId`."""
        wanted, number = ask.text("state"), ask.text("algoId")
        if not wanted and not number:
            raise Said("50015", "Either parameter state or algoId is required.", 400)
        if wanted and wanted not in {"effective", "canceled", "order_failed"}:
            raise parameter("state")
        found = [
            shown
            for shown in self._algos_of(ask)
            if wanted in {"", rendering.algo_state(shown)}
            and rendering.algo_state(shown) != "live"
            and number in {"", str(shown.stop_id)}
        ]
        return self._page(ask, found, _stop_id, self._rendered_algo)

    def _algos_of(self, ask: Ask) -> list[Shown]:
        kinds = ask.text("ordType")
        if not kinds:
            raise absent("ordType")
        only = ask.text("instId")
        return [
            shown
            for shown in self._stops(ask)
            if rendering.algo_kind(shown) in kinds.split(",")
            and only in {"", rendering.instrument(self._engine, shown.symbol)}
        ]

    def fills(self, ask: Ask) -> Json:
        """Of three days."""
        return self._fills(ask, 3 * DAY)

    def fills_history(self, ask: Ask) -> Json:
        """Of three months; needs to be told of which type."""
        if not ask.text("instType"):
            raise absent("instType")
        return self._fills(ask, 90 * DAY)

    def _fills(self, ask: Ask, span: int) -> Json:
        """`ordId` narrows to an order; `orderId` is no parameter."""
        number, only = ask.text("ordId"), ask.text("instId")
        since = max(ask.integer("begin"), self._engine.now - span)
        found = [
            trade
            for trade in self._engine.trades
            if number in {"", str(trade.order_id)}
            and only in {"", rendering.instrument(self._engine, trade.symbol)}
            and not ask.hidden(orders.owner(self._engine, trade).client_id)
        ]
        found = between(found, lambda trade: trade.time, since, ask.integer("end"))
        return self._page(ask, found, _trade_id, lambda trade: rendering.fill(self._engine, trade))

    def _page(
        self, ask: Ask, found: Sequence[T], number: Callable[[T], int], show: Callable[[T], Json]
    ) -> list[Json]:
        """Newest first; `after` an id are older ones, `before` it newer."""
        after, before = ask.integer("after"), ask.integer("before")
        kept = [
            item
            for item in sorted(found, key=number, reverse=True)
            if number(item) > before and (not after or number(item) < after)
        ]
        return [show(item) for item in kept[: max(1, min(ask.integer("limit", PAGE), PAGE))]]

    def _rendered(self, shown: Shown) -> Json:
        return rendering.order(self._engine, shown)

    def _rendered_algo(self, shown: Shown) -> Json:
        return rendering.algo(self._engine, shown)

    def _is_gone(self, shown: Shown) -> bool:
        """Ended without a fill, and too long ago."""
        unfilled = not shown.is_open and not shown.filled
        return unfilled and shown.updated < int(self._engine.now) - UNFILLED_FOR


def own_id(shown: Shown) -> str:
    """What a stop becomes does not carry the stop's."""
    return "" if shown.stop else shown.wish.client_id


def _not_found() -> Said:
    return Said("51603", "Order does not exist.", 200)


def _order_id(shown: Shown) -> int:
    return shown.order_id


def _stop_id(shown: Shown) -> int:
    return shown.stop_id


def _trade_id(trade: Trade) -> int:
    return trade.id
