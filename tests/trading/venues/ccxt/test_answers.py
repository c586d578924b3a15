"""What an exchange says in a refusal, as people read it."""

from __future__ import annotations

import pytest

from trading.venues.ccxt.row import Market
from trading.venues.exchanges import exchange


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (r'{"code":-9999,"msg":"not now"}', "not now"),
        (r'{"code":-9999,"msg":"\u202eodd\u0000 \ud83d, \"so\""}', 'odd \ufffd, "so"'),
        ('{"code":-9999,"msg":"\x1b[2J\u202eodd\ntwo"}', "[2Jodd two"),
        (r'{"code":-9999,"msg":"\u5e01\u5b89"}', "币安"),
        (r'{"code":-9999,"msg":"half \u12"}', r"half \u12"),
    ],
)
def test_its_words_are_made_clean(body: str, words: str) -> None:
    binance = exchange("binance", Market.SPOT)
    assert binance.said(ValueError(f"binance {body}")) == words
