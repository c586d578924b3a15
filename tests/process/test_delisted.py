"""A symbol that its exchange trades no more, as an operator meets it: the others go on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.desk_process import confirmation
from tests.process.exchange_desk import PRICE, Exchange, LiveDesk, live_desk

pytestmark = pytest.mark.slow

OWN = Decimal(1)
LOOKS = (
    "/status", "/positions", "/position OLD", "/orders", "/price OLD", "/chart OLD", "/risk",
    "/balance", "/limits", "/halts", "/trades", "/why OLD", "/equity", "/daily", "/universe",
)  # fmt: skip
REFUSED = (
    "/close OLD", "/close OLD 50%", "/stop_loss OLD 49500", "/take_profit OLD 60000",
    "/buy OLD 100", "/sell OLD 100",
)  # fmt: skip


def asked_of_it(desk: LiveDesk) -> None:
    for said in LOOKS:
        assert desk.say(said)["outcome"] == "done", said
    for said in REFUSED:
        answer = desk.say(said)
        assert answer["outcome"] == "refused", answer
        assert "not traded" in answer["plain"], answer
        assert "Nothing was sent" in answer["plain"], answer


def status(desk: LiveDesk) -> str:
    return str(desk.say("/status")["plain"])


def test_held_and_gone_after_a_restart_it_is_its_own_trouble(tmp_path: Path) -> None:
    """ETH, which is only named in the settings, is gone as well."""
    with (
        Exchange(market="spot", bases=("BTC", "OLD", "ETH")) as venue,
        live_desk(tmp_path, venue) as desk,
    ):
        desk.bought("BTC", "OLD")
        before = status(desk)
        desk.kill()
        venue.do(lambda v: [v.engine.delist(f"{base}USDT") for base in ("OLD", "ETH")])

        desk.start()
        desk.until(lambda: "OLD is not traded" in status(desk), "it is set aside")

        assert desk.say("/halts")["title"].startswith("No halts"), "no guard minds"
        today = before.split("today ")[1].split()[0]
        assert f"today {today}" in status(desk), "no loss of the day"
        assert "not entered: ETH" in status(desk)
        asked_of_it(desk)
        assert len(desk.alerts("SetAside")) == 1
        assert desk.do("/close BTC 50%")["outcome"] == "done", "the others are closed as ever"
        assert venue.stops("BTC")
        assert desk.complaints() == []


def test_a_flatten_ends_blocked_and_names_it_until_it_is_written_off(tmp_path: Path) -> None:
    with (
        Exchange(market="spot", bases=("BTC", "OLD")) as venue,
        live_desk(tmp_path, venue) as desk,
    ):
        desk.bought("BTC", "OLD")
        desk.kill()
        venue.do(lambda v: v.engine.delist("OLDUSDT"))
        desk.start()
        desk.until(lambda: "OLD is not traded" in status(desk), "it is set aside")

        desk.say(confirmation(desk.say("/flatten")))
        desk.until(lambda: "flat blocked" in desk.halts(), "it ends blocked")
        assert desk.positions() == ["OLD"]
        assert desk.alerts("HaltAdvanced", "OLD/USDT is not traded")
        assert "/write_off OLD" in desk.say("/resume")["plain"]

        question = desk.say("/write_off OLD")
        answer = desk.say(confirmation(question))

        assert answer["outcome"] == "done", answer
        result = answer["title"].split(", ")[1]
        assert result in question["plain"], "one figure"
        desk.until(lambda: "flat at the venue" in desk.halts(), "nothing keeps it any more")
        assert venue.held("OLD") > OWN, "nothing was sold"
        desk.kill()
        desk.start()
        desk.until(lambda: "Halted" in status(desk), "it knows")
        assert desk.positions() == []
        assert "No entries for now" not in status(desk), "the books equal the venue's"
        assert desk.complaints() == []


def test_gone_while_it_runs_it_is_noticed_and_comes_back_by_itself(tmp_path: Path) -> None:
    with (
        Exchange(market="spot", bases=("BTC", "OLD")) as venue,
        live_desk(tmp_path, venue) as desk,
    ):
        desk.bought("BTC", "OLD")
        venue.do(lambda v: v.engine.delist("OLDUSDT"))

        desk.until(lambda: "OLD is not traded" in status(desk), "its stop expired, so it looked")
        asked_of_it(desk)
        desk.until(lambda: "BTC long" in status(desk), "the others have prices")

        venue.do(lambda v: v.engine.relist("OLDUSDT"))
        venue.trades_at("OLD", PRICE)
        desk.until(lambda: venue.stops("OLD"), "it is traded, counted and protected again")
        assert desk.alerts("CountedAgain")
        assert desk.do("/close OLD")["outcome"] == "done"


def test_halted_for_good_is_the_same_trouble(tmp_path: Path) -> None:
    with (
        Exchange(market="spot", bases=("BTC", "OLD")) as venue,
        live_desk(tmp_path, venue) as desk,
    ):
        desk.bought("OLD")
        desk.kill()
        venue.do(lambda v: v.engine.halt("OLDUSDT"))
        desk.start()
        desk.until(lambda: "OLD is not traded" in status(desk), "it is set aside")
        resting = venue.resting()
        asked_of_it(desk)
        assert venue.resting() == resting, "its stop is left where it rests"
        assert desk.say("/buy BTC 100")["title"].startswith("⚠ Buy"), "entries of others go on"

        venue.do(lambda v: v.engine.resume("OLDUSDT"))
        desk.until(lambda: desk.do("/close OLD")["outcome"] == "done", "looked at again when asked")


def test_a_contract_is_settled_by_its_exchange_and_booked(tmp_path: Path) -> None:
    with (
        Exchange(market="swap", bases=("BTC", "OLD")) as venue,
        live_desk(tmp_path, venue) as desk,
    ):
        desk.bought("BTC", "OLD")
        desk.kill()
        venue.trades_at("OLD", PRICE + 400)
        venue.do(lambda v: v.engine.delist("OLDUSDT"))

        desk.start()

        desk.until(lambda: desk.positions() == ["BTC"], "the settlement is booked")
        assert desk.alerts("PositionClosed", "OLD", "outside")
        assert "No entries for now" not in status(desk), "with the money that it brought"
        assert desk.say("/write_off OLD")["outcome"] == "refused"
        assert desk.complaints() == []
