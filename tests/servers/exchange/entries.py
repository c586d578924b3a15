"""The account's movements as most exchanges book them: one entry a trade, with its fee in it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tests.servers.exchange.engine import Engine
from tests.servers.exchange.values import ZERO

OF_TRADES = {"REALIZED_PNL", "COMMISSION"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`amount` is what came (positive) or went in all; `fee` is positive when it was paid.

    `kind` is TRADE, or that of the one movement it is about (`Movement.kind`).
    """

    id: int
    kind: str
    asset: str
    amount: Decimal
    time: int
    symbol: str = ""
    trade_id: int = 0
    fee: Decimal = ZERO

    @property
    def profit(self) -> Decimal:
        """Without the fee."""
        return self.amount + self.fee


def entries(engine: Engine) -> list[Entry]:
    """Oldest first."""
    booked: dict[tuple[str, int], Entry] = {}
    for moved in engine.movements:
        traded = moved.kind in OF_TRADES
        key = ("trade", moved.trade_id) if traded else ("other", moved.id)
        before = booked.get(key)
        fee = -moved.amount if moved.kind == "COMMISSION" else ZERO
        booked[key] = Entry(
            id=moved.id,
            kind="TRADE" if traded else moved.kind,
            asset=moved.asset,
            amount=moved.amount + (before.amount if before else ZERO),
            time=moved.time,
            symbol=moved.symbol,
            trade_id=moved.trade_id,
            fee=fee + (before.fee if before else ZERO),
        )
    return list(booked.values())
