"""The page that says what each exchange is offered for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.architecture.source import ROOT
from trading.types import Stops, Targets
from trading.venues import exchanges
from trading.venues.ccxt.row import Can, Market
from trading.venues.offers import as_markdown, asked_of, resting


def test_the_page_is_what_the_files_say() -> None:
    """Run `make docs`."""
    assert (ROOT / "docs/exchanges.md").read_text("utf-8") == as_markdown()


@pytest.mark.parametrize("name", exchanges.names())
def test_every_market_stands_on_it_refused_or_not(name: str) -> None:
    for market, exchange in exchanges.markets_of(name).items():
        assert f"## {name} {market}\n" in as_markdown()
        refused = exchange.row.lacking(Can.ENTRIES)
        for what in [Can.ENTRIES] if refused else asked_of(exchange.row):
            assert exchange.row.lacking(what) in as_markdown()
        assert (ROOT / exchange.row.guide).exists()


def test_what_rests_while_nobody_runs_goes_by_what_is_offered() -> None:
    row = exchanges.exchange("binance", Market.SWAP).row
    assert resting(row) == "its stop and its target"
    assert resting(replace(row, targets=Targets.DESK)) == "its stop"
    assert "nothing" in resting(replace(row, stops=Stops.DESK))
