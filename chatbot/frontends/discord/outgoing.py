"""A reply as messages that the library takes: embeds, buttons, a picture, or bare words.

Only what runs imports this file: the library takes half a second to load.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import discord

from chatbot.frontends.discord.failures import is_malformed
from chatbot.frontends.talk import drawn
from chatbot.ports import Pictures
from chatbot.render.embed import EmbedPost, posts
from handlers.command import Commands
from handlers.reply import Reply

PICTURE = "chart.png"
CONTENT = 2_000
"""Characters of a message without an embed."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message, to be posted or to be put in another's place."""

    post: EmbedPost
    picture: bytes | None
    is_bare: bool = False
    """Only its words: for when Discord refuses the rest."""

    def bare(self) -> OutgoingMessage:
        return replace(self, is_bare=True)

    def new(self, *, silent: bool) -> dict[str, Any]:
        """Arguments for any of the library's ways to send."""
        if self.is_bare:
            return {"content": self._words(), "silent": silent}
        given: dict[str, Any] = {"embed": self._embed(), "silent": silent}
        if self.post.buttons:
            given["view"] = self._view()
        if self._is_pictured:
            given["file"] = self._file()
        return given

    def edit(self) -> dict[str, Any]:
        """Arguments for any of the library's ways to edit; what is not there goes."""
        if self.is_bare:
            return {"content": self._words(), "embed": None, "view": None, "attachments": []}
        return {
            "content": None,
            "embed": self._embed(),
            "view": self._view() if self.post.buttons else None,
            "attachments": [self._file()] if self._is_pictured else [],
        }

    @property
    def _is_pictured(self) -> bool:
        return self.post.picture and self.picture is not None

    def _words(self) -> str:
        return f"{self.post.title}\n{self.post.description}".strip()[:CONTENT]

    def _embed(self) -> discord.Embed:
        post = self.post
        embed = discord.Embed(
            title=post.title or None, description=post.description or None, colour=post.colour
        )
        return embed.set_image(url=f"attachment://{PICTURE}") if self._is_pictured else embed

    def _view(self) -> discord.ui.View:
        view = discord.ui.View(timeout=None)
        for button in self.post.buttons:
            style = discord.ButtonStyle.danger if button.red else discord.ButtonStyle.secondary
            view.add_item(
                discord.ui.Button(style=style, label=button.label, custom_id=button.command)
            )
        view.stop()  # or the library would keep it: presses are read from what they carry
        return view

    def _file(self) -> discord.File:
        return discord.File(io.BytesIO(self.picture or b""), PICTURE)


async def compose(
    reply: Reply, commands: Commands, pictures: Pictures
) -> tuple[OutgoingMessage, ...]:
    """The messages that show *reply*, its picture drawn."""
    reply, picture = await drawn(reply, pictures)
    shown = posts(reply, commands, picture=picture is not None)
    return tuple(OutgoingMessage(post, picture) for post in shown)


def plainer(
    messages: tuple[OutgoingMessage, ...], error: Exception
) -> tuple[OutgoingMessage, ...] | None:
    """What Discord may take after *error*, so that an alert arrives; None: nothing else would."""
    if is_malformed(error):
        return tuple(outgoing.bare() for outgoing in messages)
    forbidden = isinstance(error, discord.Forbidden)
    if forbidden and any(outgoing.picture is not None for outgoing in messages):
        return tuple(replace(outgoing, picture=None) for outgoing in messages)
    return None
