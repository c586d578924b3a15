"""A target set by hand rests at a real exchange's protocol, and fills while nobody looks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.exchange_desk import Exchange, LiveDesk, live_desk

pytestmark = pytest.mark.slow

DUST = Decimal("0.00002")
"""Less than that may be left on spot of what was bought."""


def quantities(desk: LiveDesk) -> set[str]:
    return {f"{order.wish.quantity.normalize():f}" for order in desk.venue.stops("BTC")}


@pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
def test_a_target_rests_is_halved_with_its_position_and_fills_while_the_desk_is_dead(
    market: str, tmp_path: Path
) -> None:
    kind = "spot" if market == "spot" else "swap"
    with (
        Exchange(market=kind, bases=("BTC",), hedge=market == "hedge") as venue,
        live_desk(tmp_path, venue) as desk,
    ):
        own = venue.held("BTC")
        desk.bought("BTC", money=1_000)

        answer = desk.do("/take_profit BTC 51000")

        assert "it rests at the venue" in answer["plain"]
        desk.until(lambda: venue.legs("BTC") == ["stop", "target"], "both rest")
        desk.do("/close BTC 50%")
        half = {"0.00999"} if market == "spot" else {"0.01"}
        desk.until(
            lambda: venue.legs("BTC") == ["stop", "target"] and quantities(desk) == half,
            "both rest for the other half, and only for that",
        )
        desk.kill()
        venue.trades_at("BTC", 51_500)

        desk.start()

        desk.until(lambda: desk.positions() == [], "it is booked")
        desk.until(lambda: venue.legs("BTC") == [], "and its stop has gone")
        assert desk.alerts("PositionClosed", "BTC", "target")
        assert own <= venue.held("BTC") < own + DUST, "all was sold that was ours, and no more"
        assert desk.complaints() == []
