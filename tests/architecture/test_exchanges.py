"""The adapter knows no exchange by name: what differs is in the exchange's own file."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import files, imports, name
from trading.venues import exchanges

ADAPTER = "trading/venues/ccxt"
MORE = ("bybit", "okx", "kraken", "bitget", "kucoin", "coinbase", "htx", "huobi")
"""Also before there is a file of theirs."""


@pytest.mark.parametrize("word", sorted({*exchanges.names(), *MORE}))
def test_the_adapter_asks_no_exchanges_name_and_holds_no_word_of_it(word: str) -> None:
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])", re.IGNORECASE)
    assert [name(p) for p in files(ADAPTER) if pattern.search(p.read_text("utf-8"))] == []


def test_a_word_of_one_is_found() -> None:
    """Or the test above would find nothing in nothing."""
    assert len(files(ADAPTER)) > 20
    assert re.search(r"binance", "if exchange.id == 'Binance':", re.IGNORECASE)


def test_the_adapter_imports_no_file_of_an_exchange() -> None:
    found = [(name(p), m) for p in files(ADAPTER) for m in imports(p) if "venues.exchanges" in m]
    assert found == []


def test_no_exchange_knows_another() -> None:
    for path in files("trading/venues/exchanges"):
        others = [m for m in imports(path) if m.startswith("trading.venues.exchanges.")]
        assert others == [], name(path)
