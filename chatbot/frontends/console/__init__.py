"""The desk in a terminal; or, without one, a line per event.

`face.py` hears and speaks, `lines.py` reads and writes lines, `prompt.py` is a terminal with a
prompt; `slips.py` is what waits to be printed.
"""

from chatbot.frontends.console.face import Console

__all__ = ["Console"]
