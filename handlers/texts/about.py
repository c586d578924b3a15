"""How greeting, version and the end of the process read."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.caller import Caller
from handlers.format import listed, plural
from handlers.reply import Choice, Level, Reply
from handlers.texts.phrases import (
    WAIT,
    holdings_of,
    modes,
)
from trading.accounts.views import View
from trading.model.halt import Verb
from trading.types import Mode


def greeting(name: str, caller: Caller, views: Sequence[View]) -> Reply:
    return Reply(
        f'Quarterdeck "{name}" {modes(views)}'.rstrip(),
        text=f"You are {caller.name}, {caller.role.name.lower()}. "
        f"Trading is {_state(views)}; /start starts nothing.",
        choices=(
            Choice("Status", "/status"),
            Choice("Positions", "/positions"),
            Choice("Help", "/help"),
            Choice("Stop", "/stop"),
        ),
    )


def _state(views: Sequence[View]) -> str:
    halted = [v for v in views if v.halt]
    if not views or not all(v.ready for v in views):
        return "starting"
    if not halted:
        return "on"
    if len(halted) < len(views):
        return f"halted for {listed([v.name for v in halted])}"
    paused = all(v.halt is not None and v.halt.verb is Verb.PAUSE for v in halted)
    return "paused" if paused else "halted"


def while_down(views: Sequence[View]) -> str:
    stops = sum(h.stop_on_venue for h in holdings_of(views))
    bare = [h.position.symbol.base for h in holdings_of(views) if not h.stop_on_venue]
    unwatched = f" Unprotected while down: {listed(bare)}." if bare else ""
    count = plural(stops, "stop")
    if any(v.mode is Mode.LIVE for v in views):
        return f"{_stay_there(views, stops)}{unwatched}"
    are = "is" if stops == 1 else "are"
    quiet = f"{count} {are} kept; paper fills nothing until the next start."
    return f"{quiet}{unwatched} Chats go silent."


def _stay_there(views: Sequence[View], stops: int) -> str:
    """What goes on at a real venue, and what waits."""
    targets = sum(h.target_on_venue for h in holdings_of(views))
    stay = "stays" if stops + targets == 1 else "stay"
    kept = [plural(stops, "stop"), *([plural(targets, "target")] if targets else [])]
    waiting = any(h.plan.target and not h.target_on_venue for h in holdings_of(views))
    rest = "targets and trailing wait" if waiting or not targets else "trailing waits"
    return f"{listed(kept)} {stay} on the venue; {rest}, unwatched."


def ending(views: Sequence[View], by: str) -> Reply:
    held = len(holdings_of(views))
    stay = f"{plural(held, 'position')} {'stays' if held == 1 else 'stay'} open"
    return Reply(
        f"{WAIT} Shutting down {modes(views)}, by {by}",
        text=f"Done: the process was asked to end.\n"
        f"Not done: {stay if held else 'no position was open'}.",
        level=Level.NOTICE,
    )
