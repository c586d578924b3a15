"""Telegram as a face of the desk.

`face.py` polls and sends, `hearing.py` answers, `posting.py` writes messages, `onscreen.py` is one
that lives on, `menu.py` the "/" menu; `connection.py` is the library, `wire.py` reads what comes
through it, `offsets.py` counts that, `failures.py` what goes wrong with it, `places.py` where.
"""

from chatbot.frontends.telegram.connection import Polling, TelegramFlood
from chatbot.frontends.telegram.face import Telegram

__all__ = ["Polling", "Telegram", "TelegramFlood"]
