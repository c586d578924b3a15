"""How what is wrong with prices reads: in a state, when it begins, and when it is over."""

from __future__ import annotations

from handlers.format import listed
from handlers.texts.phrases import clipped, sentence
from trading.market.doubts import DoubtKind, PriceDoubt

MOST_NAMED = 3
"""Symbols that a line lists."""


def clause(doubt: PriceDoubt) -> str:
    """As in `source okx is not believed about BTC and ETH`."""
    return _CLAUSES[doubt.kind].format(source=doubt.source, symbols=_symbols(doubt))


def over(doubt: PriceDoubt) -> str:
    """As in `source okx is believed again`."""
    return _OVER[doubt.kind].format(source=doubt.source)


def line(doubt: PriceDoubt) -> str:
    """The same with what was said, on one line of a state."""
    return sentence(clipped(f"{clause(doubt)}; {doubt.why}" if doubt.why else clause(doubt), 110))


def told(doubt: PriceDoubt) -> str:
    """What was said by whom, and what that means for entries and exits."""
    why = sentence(clipped(doubt.why, 160)) if doubt.why else ""
    return " ".join(filter(None, (why, _MEANS[doubt.kind])))


def _symbols(doubt: PriceDoubt) -> str:
    names = [symbol.base for symbol in doubt.symbols]
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], f"{more} more"] if more > 0 else names)


_CLAUSES = {
    DoubtKind.SILENT: "source {source} is silent",
    DoubtKind.CANDLES: "source {source} tells prices but no candles",
    DoubtKind.ACCUSED: "source {source} is not believed about {symbols}",
    DoubtKind.DIFFER: "sources differ about {symbols}",
    DoubtKind.FEW: "too few sources of {symbols}",
    DoubtKind.ENDPOINT: "requests for {source} fail",
    DoubtKind.GAP: "candles of {symbols} could not be had",
    DoubtKind.MISSING: "candles of {symbols} stay missing",
}
_OVER = {
    DoubtKind.SILENT: "source {source} tells prices again",
    DoubtKind.CANDLES: "source {source} tells candles again",
    DoubtKind.ACCUSED: "source {source} is believed again",
    DoubtKind.DIFFER: "sources agree again",
    DoubtKind.FEW: "there are enough sources again",
    DoubtKind.ENDPOINT: "requests for {source} are answered again",
    DoubtKind.GAP: "all candles are there again",
    DoubtKind.MISSING: "no candle is missing any more",
}
_NO_ENTRIES = "No entries there; exits go by the venue's own price."
_MEANS = {
    DoubtKind.SILENT: "The other sources go on.",
    DoubtKind.CANDLES: "Its prices count; candles of the other sources go on.",
    DoubtKind.ACCUSED: "Two others agree against it: there it does not count until it does, too.",
    DoubtKind.DIFFER: f"Nobody can tell who is right. {_NO_ENTRIES}",
    DoubtKind.FEW: _NO_ENTRIES,
    DoubtKind.ENDPOINT: "They are tried again by themselves; exits and cancels always are.",
    DoubtKind.GAP: f"They are asked for again. {_NO_ENTRIES}",
    DoubtKind.MISSING: "It was asked three times. Strategies go on without them.",
}
