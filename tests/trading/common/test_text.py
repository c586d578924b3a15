"""The border in: whatever comes, what is kept can be encoded, stored, sent and shown."""

from __future__ import annotations

import json
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.common.text import clean, cleaned, one_line

ANY = st.text(st.characters(codec=None, exclude_categories=()))
"""With halves of characters in it, as argv and JSON bring them."""
TURNS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(ANY)
def test_what_is_clean_can_be_encoded_and_holds_nothing_unseen(text: str) -> None:
    kept = clean(text)
    assert kept.encode().decode() == kept
    assert not [c for c in kept if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert not set(kept) & set(TURNS)
    assert clean(kept) == kept


@given(st.binary())
def test_arguments_of_any_bytes_are_text(raw: bytes) -> None:
    clean(os.fsdecode(raw)).encode()


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"))))
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (os.fsdecode(b"b\xf6se"), "b\ufffdse"),
        ("böse, 币安, 👩‍🚀", "böse, 币安, 👩‍🚀"),
        (json.loads('"\\ud83d\\ude80 \\ud83d"'), "🚀 \ufffd"),
        ("st\0op", "stop"),
        ("\x1b[2Jgone\x9b31m", "[2Jgone31m"),
        ("owner \u202eevil", "owner evil"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("\ufefftoken\u200b", "token"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_each_kind(text: str, kept: str) -> None:
    assert clean(text) == kept


def test_a_line_is_one_line() -> None:
    assert one_line(" a\n\tb\u2028c \0 ") == "a b c"


@given(ANY, ANY)
def test_every_text_of_a_value_is_clean(key: str, text: str) -> None:
    value = cleaned({key: [text, {"n": 1, "deep": [text]}], "none": None})
    json.dumps(value, ensure_ascii=False).encode()
