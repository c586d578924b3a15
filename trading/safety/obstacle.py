"""What keeps a halt from being carried out, in words, for whoever waits for it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from trading.errors import VenueError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Obstacle:
    said: str = ""


def in_words(error: BaseException) -> str:
    """What the venue said; what broke on our side is for the log."""
    if isinstance(error, VenueError):
        return str(error)
    log.error("a halt could not be carried out in full", exc_info=error)
    return "an internal error, see the log"
