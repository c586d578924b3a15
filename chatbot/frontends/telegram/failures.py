"""What may go wrong with Telegram, told apart.

Errors leave the library as our own classes with words of our own: its words may hold the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chatbot.delivery.waiting import Throttled

if TYPE_CHECKING:
    from telegram.error import TelegramError


class TelegramFailed(Exception):
    """Telegram did not do what it was asked.  A retry may help."""

    words = "it refuses a request"
    is_about_chat = False
    """It concerns one chat only; the others fare well."""

    def __init__(self) -> None:
        super().__init__(self.words)


class NoTelegramAnswer(TelegramFailed):
    words = "it does not answer"


class Unreadable(NoTelegramAnswer):
    words = "it does not answer as Telegram does"


class TokenRefused(TelegramFailed):
    words = "its token is refused"


class SecondPoller(TelegramFailed):
    words = "another program polls with the same token"


class BlockedByUser(TelegramFailed):
    words = "the user has blocked the bot"
    is_about_chat = True


class NotInChat(TelegramFailed):
    words = "the bot may not write in this chat"
    is_about_chat = True


class ChatUnknown(TelegramFailed):
    words = "there is no such chat or topic, or nobody has opened it yet"
    is_about_chat = True


class MarkupRefused(TelegramFailed):
    words = "it refuses our markup"


class TooLong(TelegramFailed):
    words = "it finds the text too long"


class MessageGone(TelegramFailed):
    words = "the message to edit is gone"


class NotModified(TelegramFailed):
    words = "the message says that already"


class GroupMoved(TelegramFailed):
    words = "the group has a new id"
    is_about_chat = True

    def __init__(self, new_id: int) -> None:
        super().__init__()
        self.new_id = new_id


_REFUSALS: Mapping[str, type[TelegramFailed]] = {
    "not modified": NotModified,
    "message to edit not found": MessageGone,
    "message can't be edited": MessageGone,
    "no text in the message": MessageGone,
    "message_id_invalid": MessageGone,
    "can't parse entities": MarkupRefused,
    "is too long": TooLong,
    "chat not found": ChatUnknown,
    "user not found": ChatUnknown,
    "peer_id_invalid": ChatUnknown,
    "chat_id_invalid": ChatUnknown,
    "group chat was upgraded": ChatUnknown,
    "group chat was deactivated": ChatUnknown,
    "message thread not found": ChatUnknown,
    "topic_closed": ChatUnknown,
    "topic_deleted": ChatUnknown,
    "not enough rights": NotInChat,
    "have no rights": NotInChat,
    "chat_write_forbidden": NotInChat,
}
"""By words of the Bot API's answers; it has no finer codes than 400."""


def failure_of(error: TelegramError) -> TelegramFailed | Throttled:
    """The library's *error* as one of ours."""
    from telegram import error as errors

    from chatbot.frontends.telegram.wire import Garbled

    if isinstance(error, errors.RetryAfter):
        return Throttled(_seconds(error))
    if isinstance(error, errors.ChatMigrated):
        return GroupMoved(error.new_chat_id)
    if isinstance(error, errors.Forbidden):
        return forbidden(error.message)
    if isinstance(error, errors.BadRequest):
        return refused(error.message)
    plain = {
        errors.InvalidToken: TokenRefused,
        errors.Conflict: SecondPoller,
        Garbled: Unreadable,
    }
    return plain.get(type(error), NoTelegramAnswer)()


def forbidden(words: str) -> TelegramFailed:
    """What Telegram means with status 403 and these *words*."""
    return BlockedByUser() if "by the user" in words.lower() else NotInChat()


def refused(words: str) -> TelegramFailed:
    """What Telegram means with status 400 and these *words*."""
    told = words.lower()
    return next((kind for part, kind in _REFUSALS.items() if part in told), TelegramFailed)()


def _seconds(error: Any) -> float:
    """The library gives a timedelta, or a number where it was not asked to (`PTB_TIMEDELTA`)."""
    after = error.retry_after
    return float(after.total_seconds() if hasattr(after, "total_seconds") else after)
