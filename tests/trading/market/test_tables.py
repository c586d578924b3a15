"""Candles from files: what is read, and what is refused in words with its line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.builders import BTC, ETH
from trading.market.candles import Candles
from trading.market.tables import parse_symbol, read_candles
from trading.types import Symbol

MINUTE = timedelta(minutes=1)
HEAD = "symbol,ts,open,high,low,close,volume"
CRASHES = Path(__file__).parents[2] / "data" / "crashes"


def a_row(minute: int, *, symbol: str = "BTCUSDT", price: float = 100.0, low: float = 99.0) -> str:
    at = datetime(2026, 1, 5, 12, minute, tzinfo=UTC)
    return f"{symbol},{at:%Y-%m-%d %H:%M:%S.000Z},{price},{price + 1},{low},{price},5"


def a_file(folder: Path, *rows: str, head: str = HEAD) -> Path:
    file = folder / "candles.csv"
    file.write_text("\n".join([head, *rows, ""]))
    return file


def refusal(path: Path, **wanted: object) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_candles(path, **wanted)  # type: ignore[arg-type]  # what is refused
    return str(caught.value)


def test_times_become_closes_and_gaps_stay_gaps(tmp_path: Path) -> None:
    candles = read_candles(a_file(tmp_path, a_row(0), a_row(1), a_row(3)))
    assert candles.symbols == (BTC,)
    assert datetime.fromtimestamp(int(candles.times[0]) / 1000, UTC).minute == 1
    assert np.isnan(candles.close[0]).tolist() == [False, False, True, False]


def test_symbols_come_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    rows = [a_row(m, symbol=s) for s in ("BTCUSDT", "ETHUSDT") for m in (0, 1)]
    assert read_candles(a_file(tmp_path, *rows), symbols=(ETH, BTC)).symbols == (ETH, BTC)


def test_parquet_and_feather_hold_the_same_as_csv(tmp_path: Path) -> None:
    from pyarrow import csv, feather, parquet

    file = CRASHES / "ftx_2022_11_1h.csv"
    table = csv.read_csv(file)
    feather.write_feather(table, str(tmp_path / "a.feather"))
    parquet.write_table(table, tmp_path / "a.parquet")
    of_csv = read_candles(file)
    for other in ("a.feather", "a.parquet"):
        same(read_candles(tmp_path / other), of_csv)


def same(one: Candles, other: Candles) -> None:
    assert one.symbols == other.symbols
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.close, other.close)


@pytest.mark.parametrize("factor", [1e-3, 1, 1e3, 1e6])
def test_whole_numbers_are_times_in_whatever_unit(tmp_path: Path, factor: float) -> None:
    first = 1_767_614_400_000
    rows = [f"BTC/USDT,{int((first + m * 60_000) * factor)},100,101,99,100,5" for m in (0, 1)]
    assert read_candles(a_file(tmp_path, *rows)).times[0] == first + 60_000


def test_a_folder_holds_a_file_for_each_symbol(tmp_path: Path) -> None:
    head = HEAD.removeprefix("symbol,")
    for name in ("BTC_USDT-1m.csv", "ETH_USDT-1m.csv"):
        rows = [a_row(m).removeprefix("BTCUSDT,") for m in (0, 1)]
        (tmp_path / name).write_text("\n".join([head, *rows, ""]))
    assert read_candles(tmp_path).symbols == (BTC, ETH)


def test_a_bar_that_stands_there_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    said = refusal(a_file(tmp_path, a_row(0), a_row(1), a_row(1)))
    assert said.endswith("line 4: BTC/USDT at 2026-01-05 12:01:00 stands there twice")


def test_disorder_is_refused_with_its_line(tmp_path: Path) -> None:
    said = refusal(a_file(tmp_path, a_row(0), a_row(2), a_row(1)))
    assert said.endswith("line 4: BTC/USDT at 2026-01-05 12:01:00 comes after a later bar")


def test_candles_of_another_timeframe_are_refused(tmp_path: Path) -> None:
    said = refusal(a_file(tmp_path, a_row(0), a_row(5), a_row(10)), timeframe=MINUTE)
    assert "has candles of 5m, and 1m is wanted. To take them as they are: --timeframe 5m" in said


@pytest.mark.parametrize(
    ("step", "shift"),
    [
        (timedelta(days=1), timedelta(hours=8)),
        (timedelta(minutes=1), timedelta(seconds=30)),
        (timedelta(hours=4), timedelta(hours=1)),
        (timedelta(minutes=15), timedelta(minutes=-1)),
    ],
)
@pytest.mark.parametrize("folder", [False, True])
def test_bars_that_open_at_other_moments_are_not_put_side_by_side(
    tmp_path: Path, step: timedelta, shift: timedelta, folder: bool
) -> None:
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    rows = {
        name: [f"{name},{begin + by + step * bar},1,2,1,2,5" for bar in range(3)]
        for name, by in (("BTCUSDT", timedelta(0)), ("ETHUSDT", shift))
    }
    if folder:
        for name, those in rows.items():
            (tmp_path / f"{name}.csv").write_text("\n".join([HEAD, *those, ""]))
        said = refusal(tmp_path)
    else:
        said = refusal(a_file(tmp_path, *rows["BTCUSDT"], *rows["ETHUSDT"]))
    assert "of BTC/USDT open at 2026-01-05 00:00:00, those of ETH/USDT at" in said
    assert f"{begin + shift:%Y-%m-%d %H:%M:%S}" in said
    assert "would see the other's future" in said


@pytest.mark.parametrize("many", [2, 3, 5, 60])
@pytest.mark.parametrize("longer_first", [False, True])
def test_bars_of_other_lengths_are_not_put_side_by_side(
    tmp_path: Path, many: int, longer_first: bool
) -> None:
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    short, long = ("ETH/USDT", "BTC/USDT") if longer_first else ("BTC/USDT", "ETH/USDT")
    rows = [f"{short},{begin + bar * MINUTE},1,2,1,2,5" for bar in range(3)]
    rows += [f"{long},{begin + bar * many * MINUTE},1,2,1,2,5" for bar in range(3)]
    said = refusal(a_file(tmp_path, *rows))
    assert f"of 1m of {short}" in said
    assert f"of {long}" in said
    assert "would see the future in the longer ones" in said


def test_a_market_that_is_rarely_traded_has_gaps_and_no_other_length(tmp_path: Path) -> None:
    rare = [a_row(m, symbol="ETHUSDT") for m in (0, 5, 7, 12)]
    candles = read_candles(a_file(tmp_path, *[a_row(m) for m in range(13)], *rare))
    assert np.isfinite(candles.close[1]).nonzero()[0].tolist() == [0, 5, 7, 12]


def test_prices_that_cannot_be_are_refused_with_their_line(tmp_path: Path) -> None:
    low = refusal(a_file(tmp_path, a_row(0), a_row(1, low=100.5)))
    assert "line 3" in low
    assert "high or low that its open or close lies beyond" in low
    assert "not above 0" in refusal(a_file(tmp_path, a_row(0), a_row(1, price=0.0, low=0.0)))


def test_a_symbol_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    said = refusal(a_file(tmp_path, a_row(0), a_row(1)), symbols=(ETH,))
    assert "has no candles of ETH/USDT; it has BTC/USDT. To take what it has: --symbols" in said


def test_what_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.csv").startswith("There is no ")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    assert "cannot be read" in refusal(broken)
    assert "no column close" in refusal(
        a_file(tmp_path, "A,1,1,1,1", head="symbol,ts,open,high,low")
    )
    (tmp_path / "notes.txt").write_text("")
    assert "is not one of" in refusal(tmp_path / "notes.txt")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("BTC/USDT", BTC),
        ("btc_usdt", BTC),
        ("BTC/USDT:USDT", BTC),
        ("BTCUSDT", BTC),
        ("TUSDT", Symbol("T", "USDT")),
        ("DATAUSDT", Symbol("DATA", "USDT")),
        ("PERPUSDT", Symbol("PERP", "USDT")),
        ("AAPL", Symbol("AAPL", "USD")),
    ],
)
def test_symbols_are_written_in_many_ways(said: str, meant: Symbol) -> None:
    assert parse_symbol(said) == meant
