"""Telegram as a face of the desk.

`face.py` polls and sends, `hearing.py` answers, `posting.py` writes messages, `menu.py` the "/"
menu; `connection.py` is the library, `failures.py` what goes wrong with it, `places.py` where.
"""

from chatbot.frontends.telegram.connection import Flood, Polling
from chatbot.frontends.telegram.face import Telegram

__all__ = ["Flood", "Polling", "Telegram"]
