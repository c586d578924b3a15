"""How the symbols that a trader finds by itself read in a chat."""

from __future__ import annotations

from handlers.alerts.parts import STATUS, UNIVERSE
from handlers.format import duration, plural
from handlers.reply import Level, Reply
from handlers.texts.describe import describe
from handlers.texts.phrases import DONE, LOOK, clipped, mode, sentence
from handlers.texts.universe import STAYS, some
from trading import events


@describe.register
def _(event: events.UniverseChanged) -> Reply:
    came = [c for c in event.changes if c.before is None]
    gone = [c for c in event.changes if c.after is None]
    moved = [c for c in event.changes if c.before is not None and c.after is not None]
    counts = [
        f"{len(changes)} {word}"
        for changes, word in ((came, "in"), (gone, "out"), (moved, "moved"))
        if changes
    ]
    lines = [
        (f"In: {some(f'{c.symbol.base} (tier {c.after})' for c in came)}.", came),
        (f"Moved: {some(f'{c.symbol.base} to tier {c.after}' for c in moved)}.", moved),
        (f"Out: {some(f'{c.symbol.base}, {c.why}' for c in gone)}. {STAYS}", gone),
    ]
    return Reply(
        f"Universe {mode(event.mode)}: {', '.join(counts)}; {plural(event.size, 'symbol')} now",
        text="\n".join(line for line, changes in lines if changes),
        choices=(UNIVERSE,),
    )


@describe.register
def _(event: events.SurveyFailed) -> Reply:
    since = "yet" if event.age is None else f"for {duration(event.age)}"
    return Reply(
        f"{LOOK} No survey of the market {since} {mode(event.mode)}",
        text=f"{sentence(clipped(event.why, 100))} Nothing that was only discovered is entered "
        "until there is one; exits go on.",
        choices=(UNIVERSE, STATUS),
        level=Level.NOTICE,
    )


@describe.register
def _(event: events.SurveyRecovered) -> Reply:
    return Reply(
        f"{DONE} The market is surveyed again {mode(event.mode)}",
        text=f"{plural(event.size, 'symbol')} may be entered.",
        choices=(UNIVERSE,),
        level=Level.NOTICE,
    )
