"""The two sockets of a desk: one for whatever is said, one of its own for a stop."""

from chatbot.frontends.control.brake import StopSocket
from chatbot.frontends.control.face import ControlSocket

__all__ = ["ControlSocket", "StopSocket"]
