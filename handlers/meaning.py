"""Who and what a word means: which traders, which symbol; and asking where it could be several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from handlers.format import listed
from handlers.line import bare
from handlers.reply import Choice, offer
from handlers.texts.phrases import clipped
from trading.errors import Refused
from trading.model.halt import EVERYONE
from trading.types import Symbol

BUTTONS = 5

Known = Mapping[str, Sequence[Symbol]]
"""The symbols of each trader: those it trades, still holds, or has seen in a survey."""


class BadUsage(Refused):
    """The caller wrote a command wrongly, or in a way that could mean several things."""

    def __init__(
        self, sentence: str, choices: Iterable[Choice] = (), *, usage: bool = True
    ) -> None:
        super().__init__(sentence)
        self.choices = tuple(choices)[:BUTTONS]
        self.usage = usage
        """Whether the usage line helps."""


def is_everyone(word: str) -> bool:
    """Whether *word* names all traders: `all`, `All!`, `all traders` as one word."""
    return bare(word) in (EVERYONE, f"{EVERYONE}s", "everyone", "everything")


def traders_meant(name: str | None, known: Known) -> Known:
    if name is None:
        return known
    for each in known:
        if each.lower() in (name.lower(), bare(name)):
            return {each: known[each]}
    if is_everyone(name):
        return known
    there = f"; there is {listed(list(known))}" if known else ""
    raise BadUsage(f"There is no trader {clipped(name, 20)}{there}", usage=False)


def holders(symbol: Symbol, meant: Known, holding: Known) -> Known:
    """Of the traders *meant* those that hold *symbol*; all of them if there is only one."""
    if len(meant) <= 1:
        return meant
    found = {name: meant[name] for name in meant if symbol in holding.get(name, ())}
    if not found:
        choices = (Choice("Positions", "/positions"),)
        raise BadUsage(f"No trader holds {symbol.base}", choices, usage=False)
    return found


def symbol_meant(word: str, known: Known, again: str) -> tuple[Symbol, Known]:
    """Return the one symbol that *word* means, and the traders that have it."""
    said = word.upper().strip(_AROUND)
    found = {s for symbols in known.values() for s in symbols if said in _spellings(s)}
    if not found:
        bases = sorted({s.base for symbols in known.values() for s in symbols})
        here = f"; here is {listed(bases[:8])}" if bases else ""
        raise BadUsage(f"{clipped(said, 20)} is not traded here{here}")
    if len(found) > 1:
        names = sorted(map(str, found))
        raise BadUsage(
            f"{clipped(said, 20)} could be {listed(names, 'or')}",
            (c for n in names for c in offer(n, again.replace(word, n, 1))),
            usage=False,
        )
    symbol = found.pop()
    return symbol, {name: symbols for name, symbols in known.items() if symbol in symbols}


_AROUND = ".,;:!?"
"""What ends a sentence, and no symbol."""


def _spellings(symbol: Symbol) -> tuple[str, ...]:
    base, quote = symbol.base, symbol.quote
    return base, f"{base}/{quote}", f"{base}{quote}", f"{base}-{quote}"
