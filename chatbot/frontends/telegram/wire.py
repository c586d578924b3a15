"""What comes over Telegram's wire, read so that nothing malformed harms what is well-formed.

An update that cannot be read is replaced by its bare number, so that it alone is passed over; the
number keeps company with who said it, if that much can be read (`UNREADABLE`).  One that can be is
read once: it goes through the library as a number with what was read (`READ`).  An answer without
a readable number is a failure: nothing is confirmed by it.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from telegram import CallbackQuery, Chat, Message, Update, User
from telegram.error import TelegramError, TimedOut

from chatbot.frontends.telegram.connection import Polling
from chatbot.frontends.telegram.places import READ, UNREADABLE
from chatbot.frontends.telegram.requests import Requests

log = logging.getLogger(__name__)

HIGHEST = 2**53
"""No number that Telegram counts or names by is higher.

Source: https://core.telegram.org/bots/api#chat (at most 52 significant bits)
"""
LONGEST_WAIT = 86_400.0
"""Seconds; whoever asks us to wait for longer is not obeyed to the letter, but asked again."""


class Garbled(TelegramError):
    """An answer that Telegram would not give: what was asked may have been done, or not."""

    def __init__(self) -> None:
        super().__init__("garbled")


class Saying(Requests):
    """Requests whose answers are read with care."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Raises `Garbled`, never anything else."""
        return answer_in(payload)


class UpdateWire(Requests):
    """Polls: no longer than `longest` in all, and with no update in them that cannot be read."""

    def __init__(self, base_url: str, polling: Polling) -> None:
        super().__init__(base_url, polling)
        self._longest = polling.longest

    async def do_request(self, *args: Any, **given: Any) -> tuple[int, bytes]:
        # The library's own limits hold for each step; a server that dribbles keeps to them all.
        try:
            async with asyncio.timeout(self._longest):
                return await super().do_request(*args, **given)
        except TimeoutError:
            raise TimedOut from None

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Raises `Garbled`, never anything else."""
        answer = answer_in(payload)
        if answer["ok"]:
            answer["result"] = updates_in(answer["result"])
        return answer


def answer_in(payload: bytes) -> dict[str, Any]:
    """The Bot API's answer: `ok` with a `result`, or a refusal in words.  Raises `Garbled`."""
    try:
        said = json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Garbled from None
    if not isinstance(said, dict):
        raise Garbled
    if said.get("ok") is True and said.get("result") is not None:
        return {"ok": True, "result": said["result"]}
    if said.get("ok") is False and isinstance(said.get("description"), str):
        # Without a result: the library stumbles where it came with the status of a success.
        parameters = _parameters(said.get("parameters"))
        return {"ok": False, "description": said["description"], "parameters": parameters}
    raise Garbled


def _parameters(given: object) -> dict[str, Any]:
    """What the library would act on, as far as it makes sense."""
    if not isinstance(given, Mapping):
        return {}
    wait, moved = given.get("retry_after"), number(given.get("migrate_to_chat_id"))
    read: dict[str, Any] = {}
    if isinstance(wait, int | float) and not isinstance(wait, bool) and wait > 0:
        read["retry_after"] = min(wait, LONGEST_WAIT)
    if moved:
        read["migrate_to_chat_id"] = moved
    return read


def updates_in(result: object) -> list[dict[str, Any]]:
    """The updates of an answer: the number of each, with the update as it was read.

    Of those that cannot be read only the number, with who said it as far as that is known.

    Raises `Garbled` if there is something, and no number in it.
    """
    if not isinstance(result, list):
        raise Garbled
    given = [_update(each) for each in result]
    read = [each for each in given if each is not None]
    if len(read) < len(given):
        log.error("Telegram: an update without a number was passed over")
    if given and not read:
        raise Garbled
    return read


def _update(given: object) -> dict[str, Any] | None:
    if not isinstance(given, Mapping):
        return None
    update = number(given.get("update_id"))
    if update is None or update <= 0:
        return None
    whole = {**given, "update_id": update}
    whole.pop(UNREADABLE, None)
    read = _read(whole)
    if read is not None:
        return {"update_id": update, READ: read}
    log.error("Telegram: an update could not be read, and is passed over")
    return {"update_id": update, UNREADABLE: _speaker(whole)}


def number(given: object) -> int | None:
    """A number by which Telegram counts or names, also where it comes as text."""
    if isinstance(given, str) and given.isascii() and given.removeprefix("-").isdecimal():
        given = int(given) if len(given) <= len(str(HIGHEST)) + 1 else None
    if isinstance(given, float) and math.isfinite(given) and given.is_integer():
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or abs(given) > HIGHEST:
        return None
    return given


def _read(whole: dict[str, Any]) -> Update | None:
    """None: the library cannot read it, or something that we look at is not what it should be."""
    try:
        update = Update.de_json(whole, None)
        said = all(_is_message(each) for each in (update.message, update.edited_message) if each)
        sound = said and (update.callback_query is None or _is_press(update.callback_query))
    except Exception:  # noqa: BLE001  # whatever the library, or a look at what it made, finds
        return None
    return update if sound else None


def _is_press(query: CallbackQuery) -> bool:
    texts: tuple[object, ...] = (query.id, query.data or "")
    message = query.message
    return (
        _is_user(query.from_user)
        and all(isinstance(each, str) for each in texts)
        and (message is None or (_is_chat(message.chat) and _is_whole(message.message_id)))
    )


def _is_message(message: Message) -> bool:
    # Typed as what the schema promises; here it is looked at whether that was kept.
    texts: tuple[object, ...] = (message.text or "", message.caption or "")
    date: object = message.date
    return (
        _is_whole(message.message_id)
        and isinstance(date, datetime)
        and _is_chat(message.chat)
        and all(isinstance(each, str) for each in texts)
        and (message.from_user is None or _is_user(message.from_user))
        and (message.sender_chat is None or _is_chat(message.sender_chat))
        and (message.migrate_to_chat_id is None or _is_whole(message.migrate_to_chat_id))
        and (message.message_thread_id is None or _is_whole(message.message_thread_id))
    )


def _is_chat(chat: Chat) -> bool:
    kind: object = chat.type
    return _is_whole(chat.id) and isinstance(kind, str)


def _is_user(user: User) -> bool:
    names: tuple[object, ...] = (user.first_name or "", user.username or "")
    return _is_whole(user.id) and all(isinstance(each, str) for each in names)


def _is_whole(given: object) -> bool:
    return isinstance(given, int) and number(given) is not None


def _speaker(whole: Mapping[str, Any]) -> dict[str, int]:
    """Who said it and where, as far as that can be read; empty where it cannot."""
    for kind in ("message", "edited_message", "callback_query"):
        said = whole.get(kind)
        if not isinstance(said, Mapping):
            continue
        message = said.get("message") if kind == "callback_query" else said
        chat = message.get("chat") if isinstance(message, Mapping) else None
        where, who = _id_of(chat), _id_of(said.get("from"))
        if where and who:
            return {"chat": where, "user": who}
    return {}


def _id_of(given: object) -> int | None:
    return number(given.get("id")) if isinstance(given, Mapping) else None
