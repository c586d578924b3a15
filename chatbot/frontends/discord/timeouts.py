"""How patient the Discord face is, and what it says of a flood; the library is not needed here."""

from __future__ import annotations

from dataclasses import dataclass

from chatbot.frontends.talk import SLOW

FLOODED = "it refuses too many requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectTimeouts:
    """How patient it is; seconds."""

    defer: float = 1.5
    """Until a command that has no answer yet is acknowledged; Discord gives it 3."""
    slow: float = SLOW
    """Until somebody who waits hears that they wait."""
    request: float = 10.0
    """A request that takes longer has failed."""
    flood: float = 3.0
    """Told to wait for longer, a request is given up, and whoever made it waits."""
    silence: float = 60.0
    """A gateway that says nothing for so long is gone; it beats every 41 s."""
    identify: float = 5.0
    """Between a session that was refused and the next."""
    first_retry: float = 1.0
    longest_retry: float = 60.0
    most: int = 5
    """Messages that a channel takes within `within` seconds, edits included.

    Discord tells its limits only as they are used up; these hold everywhere.
    """
    within: float = 5.0
    farewell: float = 1.0
    """For answers under way when the desk ends."""
