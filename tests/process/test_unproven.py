"""Nobody trades live where nobody has seen it done, unless the operator says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.desk_process import Ended, quarterdeck
from tests.process.exchange_desk import Exchange, keys, live_desk, settings

pytestmark = pytest.mark.slow


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with Exchange(market="swap") as venue:
        yield venue


def started(folder: Path, text: str) -> Ended:
    (folder / "bot.toml").write_text(text)
    return quarterdeck("run", "--for", "0.1", cwd=folder, **keys())


def test_a_live_start_on_an_unproven_venue_is_refused_in_a_sentence(
    venue: Exchange, tmp_path: Path
) -> None:
    refused = started(tmp_path, settings(venue).replace("accept_unproven = true\n", ""))
    assert refused.code == 2, refused
    assert "binance swap is not proven with these versions of Quarterdeck and ccxt" in refused.err
    assert "run quarterdeck prove real, or set accept_unproven = true in [venues.real]" in (
        refused.err
    )
    assert "Nothing was started." in refused.err
    assert venue.asked() == [], "and nothing was asked of it"


def test_whoever_sends_no_real_order_needs_no_proof(venue: Exchange, tmp_path: Path) -> None:
    text = settings(venue).replace("accept_unproven = true\n", "")
    text = text.replace('mode = "live"', 'mode = "dry_run"')
    assert started(tmp_path, text).code == 0


def test_an_accepted_one_is_told_at_each_start(venue: Exchange, tmp_path: Path) -> None:
    with live_desk(tmp_path / "desk", venue) as desk:
        (told,) = desk.alerts("TraderStarted")
        assert "Not proven there; accepted (accept_unproven)." in told
        assert "Not proven: accepted" in desk.say("/venues")["plain"]
        desk.kill()
        desk.start()
        desk.until(lambda: len(desk.alerts("TraderStarted")) == 2, "told again")
        assert all("Not proven there" in each for each in desk.alerts("TraderStarted"))
