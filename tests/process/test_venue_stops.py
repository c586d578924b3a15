"""A stop holds on a real exchange's protocol, whatever is under way when it comes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from storage import latch
from tests.process.desk_process import confirmation
from tests.process.exchange_desk import PRICE, Exchange, LiveDesk, live_desk
from tests.process.machine import SmallDisk, can_mount
from tests.servers.exchange import Hold

pytestmark = pytest.mark.slow

MANY = tuple(f"C{number:03}" for number in range(648))
WISHED = MANY[::16]
"""Those that the strategy wants to buy."""


DUST = Decimal("0.00002")
"""Of each coin: less than that may be left of what was bought."""


def is_latched(desk: LiveDesk) -> bool:
    return bool(latch.read(latch.path_in(desk.state)).halts)


# -- entries under way --------------------------------------------------------------------------


def test_during_a_scan_of_648_symbols_no_entry_leaves_after_the_stop(tmp_path: Path) -> None:
    """Its warm-up fits the share of a minute's weight that data may use up."""
    with Exchange(market="swap", bases=MANY) as venue:
        venue.rise(*WISHED, to=PRICE)
        desk = LiveDesk(tmp_path, venue)
        desk.ran_until_yesterday()
        venue.a_minute_passes()
        held = venue.on("GET", "*/depth", Hold(), times=None)
        try:
            desk.start()
            with desk.saying("/scan") as scanned:
                desk.until(lambda: held.acted, "the scan looks at what it may buy")
                assert venue.entries() == []

                answer = desk.say("/stop it smells")

                stopped = time.monotonic_ns()
                assert answer["title"].startswith("■ Stopped")
                venue.do(lambda v: held.release())
                assert scanned() is not None
            assert venue.entries(since=stopped) == []
            assert venue.entries() == [], "nor before: all of them waited"
            assert desk.positions() == []
            assert desk.alerts_so_far("FeedLost") == [], "to wait for candles is to lose no prices"
            assert desk.complaints() == []
        finally:
            desk.kill()


def test_an_order_in_flight_is_booked_protected_and_told_and_nothing_follows(
    tmp_path: Path,
) -> None:
    with Exchange(market="swap") as venue, live_desk(tmp_path, venue) as desk:
        held = venue.on("POST", "*/order", Hold(done=True), where={"side": "BUY"})
        asked = desk.say("/buy BTC 500")
        with desk.saying(confirmation(asked)) as bought:
            desk.until(lambda: held.acted, "the exchange has it, and has not answered")

            answer = desk.say("/stop")

            assert "■ Stopped" in answer["title"]
            venue.do(lambda v: held.release())
            assert bought() is not None
        desk.until(lambda: desk.positions() == ["BTC"], "the fill is booked")
        desk.until(lambda: venue.stops("BTC"), "and protected")
        desk.alerts("PositionOpened")  # and told
        desk.until(lambda: "cancels confirmed" in desk.halts(), "and the stop is carried out")
        assert len(venue.entries()) == 1
        assert desk.say("/buy ETH 500")["outcome"] == "refused"
        assert desk.complaints() == []


def test_during_the_comparison_at_start_it_holds(tmp_path: Path) -> None:
    with Exchange(market="swap") as venue:
        venue.rise("BTC", "ETH", to=PRICE)
        desk = LiveDesk(tmp_path, venue)
        desk.ran_until_yesterday()
        held = venue.on("GET", "*/openOrders", Hold(), times=None)
        try:
            desk.launch()
            desk.until(lambda: held.acted, "the books are being compared")

            answer = desk.say("/stop before it begins")

            assert "■ Stopped" in answer["title"]
            venue.do(lambda v: held.release())
            desk.start_is_over()
            desk.say("/scan")
            assert "before it begins" in desk.halts()
            assert venue.entries() == []
            assert desk.complaints() == []
        finally:
            desk.kill()


# -- the exchange is silent ---------------------------------------------------------------------


def test_in_an_outage_it_is_latched_and_retried_after_a_restart_too(tmp_path: Path) -> None:
    with Exchange(market="swap") as venue:
        venue.rise("BTC", to=PRICE - 1_000)
        desk = LiveDesk(tmp_path, venue, style="limit")
        desk.ran_until_yesterday()
        try:
            desk.start().hears_prices()
            desk.say("/scan")
            desk.bought("ETH")
            assert [order.wish.price for order in venue.stops("BTC")] == [Decimal(PRICE - 1_000)]
            venue.run(venue.server.stop_listening())

            answer = desk.say("/stop")

            assert "LATCHED, RETRYING" in answer["title"]
            assert is_latched(desk)
            desk.kill()
            desk.launch()
            desk.alerts("StartDelayed")  # the exchange is still away
            assert desk.positions() == ["ETH"], "what it knows is shown meanwhile"
            assert "LATCHED, RETRYING" in desk.say("/stop")["title"]
            held = venue.on("GET", "*/positionRisk", Hold(), times=None)
            venue.run(venue.server.start_listening())

            desk.until(lambda: venue.stops("BTC") == [], "the entry is cancelled")
            assert "Entries and exits wait" in desk.say("/status")["plain"], (
                "before it could compare"
            )
            venue.do(lambda v: held.release())
            desk.start_is_over()
            desk.until(lambda: "cancels confirmed" in desk.halts(), "and that is told")
            assert len(venue.stops("ETH")) == 1, "the stop stays"
            assert len(venue.entries()) == 2
        finally:
            desk.kill()


def test_told_to_flatten_in_an_outage_and_killed_it_is_flat_once_the_exchange_is_back(
    tmp_path: Path,
) -> None:
    """On spot: each stop has to go before its coin is sold, and nothing may be sold twice."""
    with Exchange(market="spot") as venue, live_desk(tmp_path, venue) as desk:
        own = venue.held("BTC")
        desk.bought("BTC", "ETH")
        asked = desk.say("/flatten")
        venue.run(venue.server.stop_listening())

        answer = desk.say(confirmation(asked))

        assert "0 of 2 closed" in answer["title"]
        told = desk.halts()
        assert "Not confirmed yet: cancels and flat (2 open)." in told
        desk.kill()
        desk.launch()
        desk.alerts("StartDelayed")  # the exchange is still away
        assert "flat (2 open)" in desk.halts(), "it goes on"
        sent = time.monotonic_ns()
        venue.run(venue.server.start_listening())

        desk.start_is_over()
        desk.until(lambda: "flat at the venue" in desk.halts(), "it is flat, and tells that")
        assert desk.positions() == []
        assert all(0 <= venue.held(base) - own < DUST for base in ("BTC", "ETH"))
        assert venue.open_orders() == []
        sold = [r.params["symbol"] for r in venue.asked("POST", "*/order", since=sent)]
        assert sorted(sold) == ["BTCUSDT", "ETHUSDT"]
        assert desk.say("/buy ETH 500")["outcome"] == "refused"


# -- history is silent --------------------------------------------------------------------------


@contextmanager
def held_by_another(history: Path) -> Iterator[None]:
    with closing(sqlite3.connect(history, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_with_the_database_locked_it_is_latched_flattened_and_kept(tmp_path: Path) -> None:
    with Exchange(market="swap") as venue, live_desk(tmp_path, venue) as desk:
        desk.bought("BTC", "ETH")
        asked = desk.say("/flatten")
        with held_by_another(desk.state / "history.db"):
            answer = desk.say(confirmation(asked))

            assert answer["outcome"] == "done"
            assert desk.is_flat()
            assert is_latched(desk)
        desk.kill()

        desk.start()

        assert "flatten" in desk.halts()
        assert desk.positions() == []


def test_on_a_full_disk_it_is_latched_flattened_and_kept(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("this machine lets nobody mount")
    with Exchange(market="swap") as venue:
        desk = LiveDesk(tmp_path, venue)
        disk = SmallDisk(desk.state, 8_000_000)
        desk.state, desk.under = disk.path, disk.under
        try:
            desk.start().hears_prices()
            desk.bought("BTC")
            asked = desk.say("/flatten")
            disk.fill()

            answer = desk.say(confirmation(asked))

            assert answer["outcome"] == "done"
            assert desk.is_flat()
            assert is_latched(desk)
            desk.kill()
            disk.clear()
            desk.start()
            assert "flatten" in desk.halts()
            assert desk.positions() == []
        finally:
            desk.kill()
            disk.close()
