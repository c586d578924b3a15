"""One message for many alerts that come at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from handlers.alerts.parts import STATUS, TRADES
from handlers.format import duration, plural
from handlers.reply import Choice, Reply
from handlers.texts.phrases import clipped

COUNTED = {
    "PositionOpened": ("opened", "opened"),
    "PositionReduced": ("partly closed", "partly closed"),
    "PositionClosed": ("closed", "closed"),
    "StopMoved": ("stop moved", "stops moved"),
    "OrderRefused": ("order refused", "orders refused"),
    "OrderUnknown": ("order unknown", "orders unknown"),
    "OrderResolved": ("order resolved", "orders resolved"),
    "PeriodEnded": ("report", "reports"),
    "StillAlive": ("sign of life", "signs of life"),
    "VenueBack": ("venue back", "venues back"),
    "ScanSlow": ("slow scan", "slow scans"),
    "TraderRestarted": ("restarted", "restarted"),
    "PriceReached": ("price reached", "prices reached"),
    "RuleRestored": ("rule restored", "rules restored"),
    "SettingsReloaded": ("settings reloaded", "settings reloaded"),
    "SettingsRefused": ("settings refused", "settings refused"),
    "LoopLagged": ("loop lag", "loop lags"),
    "ChatLost": ("chat lost", "chats lost"),
    "ChatBack": ("chat back", "chats back"),
    "UniverseChanged": ("universe changed", "universe changed"),
    "SurveyFailed": ("survey missing", "surveys missing"),
    "SurveyRecovered": ("survey back", "surveys back"),
}
"""What a burst counts each kind as: one, several."""
_NEVER_ONLY_COUNTED = ("HaltEngaged", "HaltAdvanced", "HaltLifted")
"""Somebody waits for it: the newest is told in full."""
_TITLES = 4


def fold(replies: Sequence[tuple[str, Reply]], *, seconds: int = 10) -> Reply:
    """Return one message for many: (name of the event's class, how it reads), oldest first."""
    kinds = Counter(kind for kind, _ in replies)
    counted = [
        f"{count} {COUNTED[kind][count > 1]}" for kind, count in kinds.items() if kind in COUNTED
    ]
    stages = [reply.title for kind, reply in replies if kind in _NEVER_ONLY_COUNTED]
    others = len(replies) - len(stages) - sum(kinds[kind] for kind in COUNTED)
    if others:
        counted.append(plural(others, "other"))
    counted += [clipped(title, 50) for title in stages[-1:]]
    newest = [clipped(reply.title, 70) for _, reply in replies[-_TITLES:]]
    hidden = len(replies) - len(newest)
    return Reply(
        f"{len(replies)} events in {duration(timedelta(seconds=seconds))}: {', '.join(counted)}",
        text="\n".join([*([f"The last {len(newest)}:"] if hidden else []), *newest]),
        choices=(Choice(f"All {len(replies)}", f"/alerts last {len(replies)}"), STATUS, TRADES),
        level=max(reply.level for _, reply in replies),
    )
