"""Which roles of a guild somebody carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import discord


def roles_of(person: discord.User | discord.Member) -> list[str]:
    """Their ids; the library's own `roles` knows only those of guilds that it has heard of."""
    return [str(role) for role in getattr(person, "_roles", ())]
