"""Text from outside, made fit to be kept, sent and shown: the one rule for every border in.

Standard library only, and quick: `quarterdeck stop` reads its reason through it, and every answer
of an exchange passes it.
"""

from __future__ import annotations

import re
from typing import Any

_BREAKS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f"  # controls: NUL, and ESC, by which terminals are told things
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which way is read: they show another text
    "\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""All that is not seen, but tab and line feed, and the joiners that emoji and scripts need."""


def clean(text: str) -> str:
    """Return *text* as people see it: every line break a line feed, nothing that is not seen.

    Halves of characters (`os.fsdecode` makes them of bytes that are not UTF-8, JSON of escapes)
    are joined where they are a pair; a lone one becomes U+FFFD, so that the result can be encoded.
    """
    if text.isascii() and text.isprintable():
        return text
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _UNSEEN.sub("", _BREAKS.sub("\n", whole))


def one_line(text: str) -> str:
    """*text*, clean, with single spaces for whatever divides its words."""
    return " ".join(clean(text).split())


def cleaned(value: Any) -> Any:
    """The same JSON value with every text in it clean."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): cleaned(inner) for key, inner in value.items()}
        case list():
            return [cleaned(inner) for inner in value]
        case _:
            return value
