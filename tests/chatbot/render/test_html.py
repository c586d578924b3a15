"""Telegram's HTML: escaped, divided at sensible places, and buttons that fit a phone."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from chatbot.render.html import CAPTION_LIMIT, LIMIT, caption, html, rows, units, unmarked
from handlers.reply import Choice, Column, Reply, Table
from tests.handlers.story import NOW

TABLE = Table((Column(right=False), Column(), Column()), (("BTC", "117,050.0", "+5.83"),))


def text_of(marked: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", marked))


def test_a_reply_reads_as_the_page_says() -> None:
    reply = Reply(
        "3 open, P&L +15.36 USDT",
        table=TABLE,
        text="Prices {age}.",
        as_of=NOW - timedelta(seconds=1),
    )
    (text,) = html(reply, now=NOW)
    assert text.split("\n") == [
        "<b>3 open, P&amp;L +15.36 USDT</b>",
        "<pre>BTC  117,050.0  +5.83</pre>",
        'Prices <tg-time unix="1760128868" format="r">1\u00a0s old</tg-time>.',
    ]


def test_the_lead_stands_before_the_table() -> None:
    reply = Reply("T", lead="first", table=TABLE, text="last")
    assert html(reply, now=NOW) == [
        "<b>T</b>\nfirst\n<pre>BTC  117,050.0  +5.83</pre>\nlast",
    ]


def test_words_of_others_are_escaped_everywhere() -> None:
    evil = "<b>&amp;</b>\x1b[2J\u202e"
    reply = Reply(evil, lead=evil, table=Table((Column(),), ((evil,),)), text=evil)
    seen = "&lt;b&gt;&amp;amp;&lt;/b&gt;[2J"
    assert html(reply, now=NOW) == [f"<b>{seen}</b>\n{seen}\n<pre>{seen}</pre>\n{seen}"]


def test_an_unknown_age_is_a_word() -> None:
    assert html(Reply("T", text="Prices {age}."), now=NOW) == ["<b>T</b>\nPrices of unknown age."]


def test_a_long_reply_is_divided_between_its_blocks() -> None:
    reply = Reply("T", lead="a" * 3_000, text="b" * 3_000)
    assert html(reply, now=NOW) == [f"<b>T</b>\n{'a' * 3_000}", "b" * 3_000]


def test_a_long_table_is_divided_between_rows_and_opened_anew() -> None:
    cells = tuple((f"row {n:03}",) for n in range(600))
    first, second = html(Reply("T", table=Table((Column(),), cells)), now=NOW)
    assert first.startswith("<b>T</b>\n<pre>row 000\nrow 001")
    assert first.endswith("</pre>")
    assert second.startswith("<pre>row ")
    assert second.endswith("row 599</pre>")
    assert text_of(f"{first}\n{second}").split("\n") == ["T", *(f"row {n:03}" for n in range(600))]


def test_a_long_line_is_divided_between_words() -> None:
    first, second = html(Reply("T", text="word " * 1_000), now=NOW)[-2:]
    assert first.endswith("word")
    assert second.startswith("word")


def test_an_age_is_never_torn() -> None:
    for padding in range(4_060, 4_100):
        reply = Reply("T", text="x" * padding + " {age}", as_of=NOW)
        parts = html(reply, now=NOW)
        assert "".join(parts).count("</tg-time>") == 1
        assert "{" not in "".join(parts)


def test_a_caption_holds_all_if_it_fits_and_the_title_if_not() -> None:
    assert caption(Reply("T", text="facts"), now=NOW) == ["<b>T</b>\nfacts"]
    assert caption(Reply("T", text="y" * 2_000), now=NOW) == ["<b>T</b>", "y" * 2_000]


def test_without_markup_the_words_stay() -> None:
    reply = Reply("A & B", text="1 < 2 {age}", as_of=NOW - timedelta(seconds=1))
    assert unmarked(reply, now=NOW) == ["A & B\n1 < 2 1\u00a0s old"]


def test_short_labels_share_a_row_and_long_ones_do_not() -> None:
    def shape(*labels: str) -> list[list[str]]:
        found = rows([Choice(label, "/status") for label in labels])
        return [[c.label for c in row] for row in found]

    assert shape("Positions", "Stats", "Pause", "Stop", "Refresh") == [
        ["Positions", "Stats", "Pause"],
        ["Stop", "Refresh"],
    ]
    assert shape("Status", "Positions", "Help", "Stop") == [
        ["Status", "Positions"],
        ["Help", "Stop"],
    ]
    assert shape("Keep halted", "Resume") == [["Keep halted", "Resume"]]
    assert shape("Status", "The five stops") == [["Status", "The five stops"]]
    assert shape("Cancel", "A label of 20 signs.") == [["Cancel"], ["A label of 20 signs."]]
    assert shape() == []


WORDS = st.text(st.sampled_from('ab <>&"\n{age}😀é'), max_size=400).map(lambda text: text * 17)


@given(title=WORDS, lead=WORDS, cell=WORDS, text=WORDS)
def test_no_text_is_ever_longer_than_a_chat_takes(
    title: str, lead: str, cell: str, text: str
) -> None:
    table = Table((Column(right=False),), ((cell.replace("\n", " "),),))
    reply = Reply(title or "T", lead=lead, table=table, text=text, as_of=NOW)
    for part in html(reply, now=NOW):
        assert units(part) <= LIMIT
        assert re.fullmatch(r"(?:[^<>&]|&(?:amp|lt|gt);|</?(?:b|pre|tg-time)[^<>]*>)*", part)
        for tag in ("b", "pre", "tg-time"):
            assert len(re.findall(f"<{tag}\\b", part)) == part.count(f"</{tag}>")
    assert units(caption(reply, now=NOW)[0]) <= CAPTION_LIMIT
