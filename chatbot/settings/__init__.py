"""What the operator wrote, bot.toml and the environment, checked whole before anything starts.

The models are the file: their field names are its keys, their bounds what is allowed.  `load`
tells every mistake at once, each with the place where it was made.
"""

from chatbot.settings.access import AccessSettings
from chatbot.settings.chats import DiscordSettings, TelegramSettings
from chatbot.settings.loading import load
from chatbot.settings.trading import RiskLimits, TraderSection
from chatbot.settings.whole import Settings

__all__ = [
    "AccessSettings",
    "DiscordSettings",
    "RiskLimits",
    "Settings",
    "TelegramSettings",
    "TraderSection",
    "load",
]
