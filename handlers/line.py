"""How a line that somebody said is read: bounded first, then by patterns that never look back.

Whoever may speak may also shout: what is done with a line grows with its length and no faster.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 4_096
"""Characters of a line that are looked at: as many as Telegram lets anybody send."""
_SLASHES = "/\u2044\u2215"
_APOSTROPHES = "'\u2019"


def split(text: str) -> tuple[str, list[str]]:
    """Return the command's name and the words after it.

    Tolerant: no slash, `/stop@bot`, `@bot stop`, capitals, wide letters, spaces around, `50 %`,
    `Stop!`, `/stop,please`, and the quotes and marks, seen or not, that keyboards of phones put
    around words.  The name is empty where there is no letter in any word.
    """
    words = re.sub(r"(?<=\d)\s+%", "%", text[:LONGEST]).split()
    if not words or words == ["/"]:
        return "help", []
    while len(words) > 1 and _names_nothing(words[0]):
        del words[0]
    first = unicodedata.normalize("NFKC", words[0])[:LONGEST]
    read = re.match(r"\W*([\w'\u2019]*)(?:@\w*)?\W*", first)
    assert read is not None  # noqa: S101  # it matches nothing, too
    name = read[1].strip(_APOSTROPHES).lower()
    glued = first[read.end() :]
    return name, [glued, *words[1:]] if glued else words[1:]


def is_slashed(text: str) -> bool:
    """Whether *text* begins as commands do, with the slash of any keyboard.

    Spaces and what is not seen may stand before it.
    """
    for character in text[:LONGEST]:
        if not character.isspace() and unicodedata.category(character) != "Cf":
            return unicodedata.normalize("NFKC", character) in _SLASHES
    return False


def named_in(text: str) -> str:
    """Whom a command is for by name, in small letters: `otherbot` of `/stop@OtherBot!`."""
    named = re.match(r"\W*\w*@(\w+)", unicodedata.normalize("NFKC", text[:LONGEST])[:LONGEST])
    return named[1].lower() if named else ""


def _names_nothing(word: str) -> bool:
    """Only marks, or whom the line is for: the command is in a later word."""
    return word.startswith("@") or not any(c.isalnum() for c in word)


def is_digits(said: str) -> bool:
    """Whether somebody has typed nothing but the digits of a second factor."""
    return re.fullmatch(r"[\W_]*(?:\d[\W_]*){5,8}", said[:_MOST_DIGITS]) is not None


_MOST_DIGITS = 40
"""Characters that are looked at: what is longer is no six digits."""


def bare(word: str) -> str:
    """*word* in small letters, without the marks around it: `majors` of `“Majors”,`."""
    from_start = re.sub(r"^\W+", "", unicodedata.normalize("NFKC", word[:LONGEST]))
    return re.sub(r"^\W+", "", from_start[::-1])[::-1].lower()
