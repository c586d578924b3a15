"""Discord as a face of the desk.

`face.py` logs in and hears, `answer.py` answers one interaction, `written.py` what is written
beside them, `channel.py` is an answer in a channel, `alerts.py` says what nobody asked for,
`slash.py` declares the commands and reads them back; `connection.py` is the library's gateway,
`messages.py` its messages, `failures.py` what goes wrong with it, `roles.py` who carries what.
"""

from chatbot.frontends.discord.face import Discord
from chatbot.frontends.discord.timeouts import ConnectTimeouts

__all__ = ["ConnectTimeouts", "Discord"]
