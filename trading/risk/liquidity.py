"""Whether the order book can take an entry: its spread, its depth, and how far the price has run.

Where a venue shows no order book there is nothing to object to; where it should and does not, no
entry is made.
"""

from __future__ import annotations

from decimal import Decimal

from trading.common import words
from trading.risk.limits import Limits
from trading.risk.snapshot import Proposal, RiskSnapshot
from trading.types import Depth, Side

UNUSABLE = "the order book is not usable"


def objection(proposal: Proposal, book: RiskSnapshot, limits: Limits) -> str:
    """What spread and price have against *proposal*, as a clause; empty if nothing."""
    depth = proposal.depth
    if depth is None:
        return proposal.unseen
    if not depth.is_usable:
        return UNUSABLE
    widest, furthest = proposal.entries.max_spread, proposal.entries.max_slippage
    if depth.spread > widest:
        return f"spread {words.percent(depth.spread)} is above {words.percent(widest)}"
    lost = slippage(proposal.side, proposal.price, depth)
    if lost > furthest:
        run, limit = words.percent(lost), words.percent(furthest)
        return f"the price has run {run} since the signal, the limit is {limit}"
    return ""


def too_shallow(proposal: Proposal, notional: Decimal) -> str:
    """What the depth has against an entry of *notional*, as a clause; empty if nothing."""
    if proposal.depth is None:
        return ""
    there = proposal.depth.asks if proposal.side is Side.BUY else proposal.depth.bids
    least = proposal.entries.min_depth
    if there >= notional * least:
        return ""
    return (
        f"{words.money(there)} within 20 bps is less than {words.plain(least)} times "
        f"the entry of {words.money(notional)}"
    )


def slippage(side: Side, price: Decimal, depth: Depth) -> Decimal:
    """How much worse than *price* an order at market would begin, as a share; below 0: better."""
    taken = depth.ask if side is Side.BUY else depth.bid
    return (taken - price) * side.sign / price
