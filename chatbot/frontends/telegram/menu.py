"""Telegram's "/" menu: what each person may say, taken from the registry of commands."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from chatbot.delivery.waiting import Throttled
from chatbot.frontends.telegram.failures import TelegramFailed
from chatbot.frontends.telegram.places import Moves
from chatbot.frontends.telegram.posting import Poster
from chatbot.ports import Notes
from handlers.caller import Role
from handlers.command import Commands

if TYPE_CHECKING:
    from telegram import Bot, BotCommandScopeChat

log = logging.getLogger(__name__)

LONGEST_MENU = 100
_NOTE = "telegram:menu"
_DEFAULT = "default"
"""Everybody else: their menu is empty."""


def entries(commands: Commands, role: Role) -> list[tuple[str, str]]:
    """Name and summary of what *role* may say; of small talk only /start and /help."""
    shown = (c for c in commands.values() if c.family != "Talk" or c.name in ("start", "help"))
    return [(c.name, c.summary) for c in shown if c.role <= role][:LONGEST_MENU]


class Menu:
    """Keeps the menus as they should be; asks for nothing that has not changed.

    A person who never opened a chat with the bot has no menu yet: `missing` names them.
    """

    def __init__(
        self, *, commands: Commands, chats: Mapping[int, Role], notes: Notes, moves: Moves
    ) -> None:
        self._commands = commands
        self._chats = chats
        self._notes = notes
        self._moves = moves
        self.missing: set[int] = set()

    async def bring_up_to_date(self, bot: Bot, poster: Poster) -> None:
        """Raises `TelegramFailed` or `Throttled` when it has to be tried again."""
        kept = await self._notes.note(_NOTE)
        known: dict[str, str] = json.loads(kept) if kept else {}
        wanted = dict(self._wanted())
        before = dict(known)
        try:
            for chat in [c for c in known if c not in wanted]:
                await self._set(bot, poster, chat, [])
                del known[chat]
            for chat, menu in wanted.items():
                digest = hashlib.sha256(json.dumps(menu).encode()).hexdigest()
                if known.get(chat) != digest and await self._set(bot, poster, chat, menu):
                    known[chat] = digest
        finally:
            if known != before:
                await self._notes.keep(_NOTE, json.dumps(known))

    def _wanted(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        yield _DEFAULT, []
        for chat, role in self._chats.items():
            yield str(self._moves.id_now(chat)), entries(self._commands, role)

    async def _set(self, bot: Bot, poster: Poster, chat: str, menu: list[tuple[str, str]]) -> bool:
        """False: the platform knows no such chat yet."""
        scope = _scope(chat)
        try:
            if menu:
                await poster.ask(lambda: bot.set_my_commands(menu, scope=scope))
            else:
                await poster.ask(lambda: bot.delete_my_commands(scope=scope))
        except Throttled:
            raise
        except TelegramFailed as failure:
            if not failure.is_about_chat:
                raise
            log.info("a menu waits until its chat is opened")
            self.missing.add(int(chat))
            return False
        if chat != _DEFAULT:
            self.missing.discard(int(chat))
        return True


def _scope(chat: str) -> BotCommandScopeChat | None:
    from telegram import BotCommandScopeChat

    return None if chat == _DEFAULT else BotCommandScopeChat(int(chat))
