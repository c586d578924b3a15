"""The library and its connections: loaded in a thread at the first use, at the pace we set."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telegram import Bot
    from telegram.request import BaseRequest

OFFICIAL = "https://api.telegram.org"
_CHATTERERS = ("telegram",)
"""Libraries that log what they were sent: each update may be a stranger's.

What matters of it is told here, in words of our own.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramFlood:
    """How much is sent, at most: Telegram takes 30 messages a second, 20 a minute in a group.

    Source: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    """

    overall_rate: int = 30
    overall_seconds: float = 1.0
    group_rate: int = 20
    group_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """How it listens; seconds."""

    wait: int = 5
    """A poll is held open for as long while nothing is said."""
    longest: float = 10.0
    """More than that a poll must not take in all: one that hangs delays a stop by so much."""
    answer: float = 10.0
    """More than that no other answer must take."""
    connect: float = 5.0
    first_delay: float = 1.0
    """After a failure; doubled after each further one."""
    longest_delay: float = 5.0
    """Whoever says stop meanwhile waits for that, too."""
    longest_refusal: float = 30.0
    """The same where Telegram refuses us by name: it would not help to ask sooner."""


@dataclass(frozen=True, slots=True)
class TelegramConnection:
    bot: Bot
    requests: tuple[BaseRequest, ...]
    """To be shut down."""


def connect(token: str, base_url: str, polling: Polling) -> TelegramConnection:
    # Read when the library tells how long to wait: without it each 429 is a warning as well.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    for name in _CHATTERERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    from telegram import Bot

    from chatbot.frontends.telegram.wire import Saying, UpdateWire

    saying, hearing = Saying(base_url, polling), UpdateWire(base_url, polling)
    bot = Bot(
        token,
        base_url=f"{base_url}/bot",
        base_file_url=f"{base_url}/file/bot",
        request=saying,
        get_updates_request=hearing,
    )
    return TelegramConnection(bot, (saying, hearing))
