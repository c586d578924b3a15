"""What a venue offers to end all at once would take stops and strangers' orders along."""

from __future__ import annotations

import re

from tests.architecture.source import ROOT

WHOLESALE = re.compile(r"(cancel|close)_?all|allOpenOrders|closePosition", re.IGNORECASE)


def test_nothing_cancels_what_it_does_not_name() -> None:
    code = [path for path in (ROOT / "trading").rglob("*.py") if "backtest" not in path.parts]
    found = [str(path) for path in code if WHOLESALE.search(path.read_text("utf-8"))]
    assert code
    assert found == []


def test_the_rule_sees_wholesale_calls() -> None:
    assert WHOLESALE.search("await exchange.cancel_all_orders(market)")
    assert not WHOLESALE.search("await exchange.cancel_order(order_id)")
