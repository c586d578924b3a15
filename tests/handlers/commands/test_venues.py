"""Where orders go, as it is told in a chat."""

from __future__ import annotations

from datetime import timedelta

from handlers.context import VenueSummary
from handlers.reply import Outcome
from tests.handlers.fakes import House
from tests.handlers.story import NOW, checked

PAPER = VenueSummary(name="paper", place="paper", uses="fills against the feed, no real order")
REAL = VenueSummary(
    name="real",
    place="bybit swap",
    uses="takes orders",
    offers=("stops", "targets"),
    rests="its stop and its target",
    proof="not proven: accepted",
    refuses_until=NOW + timedelta(minutes=5),
)


async def test_each_venue_tells_its_market_its_proof_and_its_ban(house: House) -> None:
    house.administration.where = [PAPER, REAL]
    reply = checked(await house.say("/venues"))
    assert reply.title == "2 venues in the settings"
    assert reply.text.splitlines() == [
        "paper: paper, fills against the feed, no real order",
        "real: bybit swap, takes orders",
        f"Refuses us until {NOW + timedelta(minutes=5):%H:%M:%S} UTC",
        "Offered: stops, targets",
        "Rests while the desk is down: its stop and its target",
        "Not proven: accepted",
    ]


async def test_more_than_two_have_pages(house: House) -> None:
    house.administration.where = [PAPER, REAL, REAL]
    reply = checked(await house.say("/venues"))
    assert [c.command for c in reply.choices] == ["/venues 2", "/status"]
    assert (await house.say("/venues 3")).outcome is Outcome.REFUSED
