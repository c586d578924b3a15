"""Files of candles as other programs write them: read as they are meant, or refused in words."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv, feather, parquet

from tests.builders import BTC, ETH
from trading.market.candles import Candles
from trading.market.tables import read, read_candles
from trading.types import Symbol

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 1, 30, 20, tzinfo=UTC)
BARS = 40
COLUMNS = ("open", "high", "low", "close", "volume")
CLOSES = [round(float(40_000 + 1234.5 * np.sin(bar / 3) + bar), 2) for bar in range(BARS)]
ROWS = [(close - 1, close + 2.5, close - 2.25, close, 1_234.5 + bar) for bar, close in
        enumerate(CLOSES)]  # fmt: skip
TIMES = [BEGIN + bar * HOUR for bar in range(BARS)]

Form = Callable[[datetime], object]


def unix(at: datetime) -> int:
    return int(at.timestamp())


def lines(
    time: Form = unix,
    *,
    head: str | None = "time,open,high,low,close,volume",
    number: Callable[[float], str] = repr,
    between: str = ",",
) -> list[str]:
    rows = [
        between.join([str(time(at)), *(number(float(v)) for v in row)])
        for at, row in zip(TIMES, ROWS, strict=True)
    ]
    return [*([head.replace(",", between)] if head is not None else []), *rows]


def text(*args: object, **kwargs: object) -> bytes:
    return "\n".join([*lines(*args, **kwargs), ""]).encode()  # type: ignore[arg-type]  # as lines


def with_comma(value: float) -> str:
    return repr(value).replace(".", ",")


def grouped(value: float) -> str:
    return f'"{value:,.2f}"'


def in_europe(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def excel(at: datetime) -> str:
    return f"{(at - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1):.6f}"


def to_file(folder: Path, content: bytes, name: str = "BTC_USDT-1h.csv") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def assert_read(candles: Candles, symbol: Symbol = BTC) -> None:
    assert candles.symbols == (symbol,)
    assert candles.times.tolist() == [unix(at + HOUR) * 1000 for at in TIMES]
    for place, name in enumerate(COLUMNS):
        np.testing.assert_allclose(
            getattr(candles, name)[0], [row[place] for row in ROWS], rtol=1e-12, err_msg=name
        )


ZONE = timezone(timedelta(hours=5, minutes=30))
TIME_FORMS: Mapping[str, Form] = {
    "seconds": unix,
    "milliseconds": lambda at: unix(at) * 1000,
    "microseconds": lambda at: unix(at) * 10**6,
    "nanoseconds": lambda at: unix(at) * 10**9,
    "seconds with a point": lambda at: f"{unix(at)}.0",
    "quoted seconds": lambda at: f'"{unix(at)}"',
    "iso": lambda at: at.isoformat(),
    "iso with Z": lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}",
    "iso of another zone": lambda at: at.astimezone(ZONE).isoformat(),
    "no zone": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "no seconds": lambda at: f"{at:%Y-%m-%d %H:%M}",
    "milliseconds of nothing": lambda at: f"{at:%Y-%m-%d %H:%M:%S}.000",
    "UTC behind": lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
    "offset without a colon": lambda at: f"{at:%Y-%m-%d %H:%M:%S}+0000",
    "Dukascopy": lambda at: f"{at:%d.%m.%Y %H:%M:%S}.000",
    "Dukascopy's local time": lambda at: f"{at.astimezone(ZONE):%d.%m.%Y %H:%M:%S}.000 GMT+0530",
    "German": lambda at: f"{at:%d.%m.%Y %H:%M}",
    "slashes": lambda at: f"{at:%Y/%m/%d %H:%M}",
    "American": lambda at: f"{at:%m/%d/%Y %H:%M}",
    "British": lambda at: f"{at:%d/%m/%Y %H:%M}",
    "American with noon": lambda at: f"{at:%m/%d/%Y %I:%M:%S %p}",
    "short years": lambda at: f"{at:%m/%d/%y %H:%M}",
    "CryptoDataDownload": lambda at: f"{at:%Y-%m-%d %I-%p}",
    "months in words": lambda at: f'"{at:%b %d, %Y %H:%M}"',
    "MetaTrader": lambda at: f"{at:%Y.%m.%d %H:%M}",
    "HistData": lambda at: f"{at:%Y%m%d %H%M%S}",
    "one number": lambda at: f"{at:%Y%m%d%H%M%S}",
    "one number, no seconds": lambda at: f"{at:%Y%m%d%H%M}",
    "a spreadsheet's": excel,
}


@pytest.mark.parametrize("form", TIME_FORMS)
@pytest.mark.parametrize("head", ["time,open,high,low,close,volume", None])
def test_times_of_every_form(tmp_path: Path, form: str, head: str | None) -> None:
    assert_read(read_candles(to_file(tmp_path, text(TIME_FORMS[form], head=head))))


TEXTS: Mapping[str, bytes] = {
    "semicolons": text(between=";"),
    "tabs": text(between="\t"),
    "bars": text(between="|"),
    "decimal comma": text(between=";", number=with_comma),
    "decimal comma and tabs": text(between="\t", number=with_comma),
    "thousands": text(number=grouped),
    "thousands in Europe": text(between=";", number=in_europe),
    "all in quotes": text(lambda at: f'"{unix(at)}"', number=lambda v: f'"{v!r}"'),
    "carriage returns": text().replace(b"\n", b"\r\n"),
    "old carriage returns": text().replace(b"\n", b"\r"),
    "byte order mark": b"\xef\xbb\xbf" + text(),
    "UTF-16": text().decode().encode("utf-16"),
    "latin-1": "\n".join(
        f"{line},{1 if n else 'größe'}" for n, line in enumerate(lines())
    ).encode("latin-1"),
    "no last line end": text().rstrip(),
    "blank lines": text() + b"\n\n\n",
    "lines before": b"https://www.example.com/data\n" + text(),
    "newest first": "\n".join([lines()[0], *lines()[:0:-1]]).encode(),
    "capitals": text(head="Timestamp,Open,High,Low,Close,Volume"),
    "spaces around names": text(head="Open time, Open , High , Low , Close , Volume "),
    "one letter": text(head="t,o,h,l,c,v"),
    "angle brackets": text(head="<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>"),
    "volume of the coin": text(head="Unix,Open,High,Low,Close,Volume BTC"),
    "Kaggle": text(head="Unix_Timestamp,Open,High,Low,Close,Volume_(BTC)"),
    "an index": b"\n".join(
        f"{n - 1 if n else ''},{line}".encode() for n, line in enumerate(lines())
    ),
    "pandas' time index": text(head=",open,high,low,close,volume"),
    "other order": b"\n".join(
        b",".join([f[5], f[3], f[4], f[2], f[0], f[1]])
        for f in (line.encode().split(b",") for line in lines())
    ),
    "more columns": b"\n".join(
        f"{line},{'vwap,tradecount,Volume USDT' if not n else '1.5,7,99.5'}".encode()
        for n, line in enumerate(lines())
    ),
    "Binance's dump": b"\n".join(
        f"{line},{1},2.5,7,1,1,0".encode() for line in lines(lambda at: unix(at) * 1000, head=None)
    ),
    "a date and a time": b"\n".join(
        line.replace("@", ",").encode()
        for line in lines(lambda at: f"{at:%Y.%m.%d}@{at:%H:%M}",
                          head="<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>")
    ),
    "MetaTrader without names": b"\n".join(
        line.replace("@", ",").encode()
        for line in lines(lambda at: f"{at:%Y.%m.%d}@{at:%H:%M}", head=None)
    ),
    "whole numbers for date and time": b"\n".join(
        line.replace("@", ",").encode()
        for line in lines(lambda at: f"{at:%Y%m%d}@{at:%H%M%S}",
                          head="DTYYYYMMDD,TIME,OPEN,HIGH,LOW,CLOSE,VOL")
    ),
    "a symbol's column": b"\n".join(
        f"{'pair' if not n else 'BTC-USDT'},{line}".encode() for n, line in enumerate(lines())
    ),
    "empty last rows": text() + b",,,,,\n,,,,,\n",
}  # fmt: skip


@pytest.mark.parametrize("form", TEXTS)
def test_texts_of_every_form(tmp_path: Path, form: str) -> None:
    assert_read(read_candles(to_file(tmp_path, TEXTS[form])))


def test_the_table_of_a_web_page_has_thousands_and_dates_of_its_own(tmp_path: Path) -> None:
    rows = [
        f'"{BEGIN + day * timedelta(days=1):%m/%d/%Y}","{price:,.1f}","{price - 5:,.1f}",'
        f'"{price + 10:,.1f}","{price - 10:,.1f}","{volume}","-0.12%"'
        for day, price, volume in ((0, 999.5, "1.23K"), (1, 40_000.5, "4.5M"), (2, 40_001.0, "-"),
                                   (12, 1.5e6, "2B"))
    ]  # fmt: skip
    head = '"Date","Price","Open","High","Low","Vol.","Change %"'
    file = to_file(tmp_path, "\ufeff{}".format("\r\n".join([head, *rows[::-1]])).encode())
    content = file.read_bytes().replace(b'"-"', b'"7"')
    candles = read_candles(to_file(tmp_path, content))
    held = np.isfinite(candles.close[0])
    assert candles.close[0][held].tolist() == [999.5, 40_000.5, 40_001.0, 1.5e6]
    assert candles.volume[0][held].tolist() == [1_230.0, 4.5e6, 7.0, 2e9]
    assert candles.bars == 13


def a_table(**changes: pa.Array) -> pa.Table:
    columns = {"timestamp": pa.array(TIMES, pa.timestamp("ns", "UTC"))}
    columns |= {name: pa.array([row[i] for row in ROWS]) for i, name in enumerate(COLUMNS)}
    return pa.table(columns | changes)


TABLES: Mapping[str, pa.Table] = {
    "plain": a_table(),
    "no zone": a_table(timestamp=pa.array([at.replace(tzinfo=None) for at in TIMES])),
    "numbers": a_table(timestamp=pa.array([unix(at) * 1000 for at in TIMES])),
    "texts": a_table(timestamp=pa.array([at.isoformat() for at in TIMES])),
    "prices as texts": a_table(close=pa.array([repr(close) for close in CLOSES])),
    "pandas' index": a_table().rename_columns(["__index_level_0__", *COLUMNS]),
    "codes": a_table(timestamp=pa.array([at.isoformat() for at in TIMES]).dictionary_encode()),
    "large texts": a_table(timestamp=pa.array([at.isoformat() for at in TIMES], pa.large_string())),
}


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("ending", [".parquet", ".feather", ".PARQUET", ".Feather"])
def test_tables_of_every_form(tmp_path: Path, form: str, ending: str) -> None:
    file = tmp_path / f"BTC_USDT-1h{ending}"
    if ending.lower() == ".parquet":
        parquet.write_table(TABLES[form], file)
    else:
        feather.write_feather(TABLES[form], str(file))
    assert_read(read_candles(file))


def test_short_floats_are_the_numbers_that_were_meant(tmp_path: Path) -> None:
    short = pa.array([round(close, 1) for close in CLOSES]).cast(pa.float32())
    flat = a_table(**dict.fromkeys(COLUMNS, short))
    parquet.write_table(flat, tmp_path / "BTC_USDT.parquet")
    found = read_candles(tmp_path / "BTC_USDT.parquet").close[0].tolist()
    assert found == [round(close, 1) for close in CLOSES]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTC_USDT-1h.csv", BTC),
        ("BTC_USDT_USDT-1h-futures.csv", BTC),
        ("BTCUSDT-1h-2026-01.csv", BTC),
        ("Binance_BTCUSDT_1h.csv", BTC),
        ("BINANCE_BTCUSDT, 60.csv", BTC),
        ("btc-usdt.csv", BTC),
        ("BTC_USDT-1h.CSV", BTC),
        ("BTC_USDT-1h.Csv.GZ", BTC),
        ("BTC_USDT-1h.csv.gz", BTC),
        ("BTC_USDT-1h.csv.bz2", BTC),
        ("BTC_USDT-5m.csv", BTC),  # what it holds counts, not what it is called
        ("ETH_BTC-1h.csv", Symbol("ETH", "BTC")),
        ("GOOG.csv", Symbol("GOOG", "USD")),
        ("BTC-USD.csv", Symbol("BTC", "USD")),
        ("BTCUSDT2026-01-30.csv", BTC),  # as Bybit's archive
        ("BTCUSDT20260130.csv", BTC),
        ("BTC_USDT202601.csv", BTC),
        ("btcusdtperp_1h.csv", BTC),
        ("BTCUSDT1h.csv", BTC),
        ("ETHBTC60.csv", Symbol("ETH", "BTC")),  # as MetaTrader
        ("1000PEPEUSDT2026.csv", Symbol("1000PEPE", "USDT")),
        ("eth2026.csv", Symbol("ETH", "USD")),
    ],
)
def test_names_of_every_form(tmp_path: Path, name: str, symbol: Symbol) -> None:
    content = text()
    if name.lower().endswith(".gz"):
        content = gzip.compress(content)
    if name.endswith(".bz2"):
        content = bz2.compress(content)
    assert_read(read_candles(to_file(tmp_path, content, name)), symbol)


# -- whose candles they are -------------------------------------------------------------------


def refusal(path: Path, **wanted: object) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_candles(path, **wanted)  # type: ignore[arg-type]  # what is refused
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["ETH_USDT-1h.csv", "ETHUSDT.csv", "eth.csv", "coin_Ethereum.csv", "Binance_ETHUSDT_d.csv",
     "ETH_USDT_USDT-1h-futures.csv", "BTC_USD.csv", "BTCUSDC-1h.csv", "SPY.csv",
     "ETHUSDT2026-01-30.csv", "ethusdtperp.csv", "Ether-1h.csv", "ETHUSDT60.csv"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "gz"])
def test_a_file_of_another_symbol_is_not_taken(tmp_path: Path, name: str, form: str) -> None:
    file = to_file(tmp_path, text(), name)
    if form == "gz":
        file = to_file(tmp_path, gzip.compress(text()), f"{name}.gz")
    said = refusal(file, symbols=(BTC,))
    assert "has no candles of BTC/USDT; it has " in said
    assert "To take what it has: --symbols " in said


@pytest.mark.parametrize("folder", ["ETHUSDT", "eth_usdt-1h", "ETH", "ethereum"])
@pytest.mark.parametrize("name", ["1h.csv", "2026-01.csv", "candles.csv"])
def test_a_folder_tells_where_the_name_of_a_file_does_not(
    tmp_path: Path, folder: str, name: str
) -> None:
    place = tmp_path / folder
    place.mkdir()
    file = to_file(place, text(), name)
    for path in (file, place):
        said = refusal(path, symbols=(BTC,))
        assert "has no candles of BTC/USDT; it has ETH/USD" in said
        assert_read(read_candles(path, symbols=(ETH,)), ETH)
    assert "by the name of its folder" in refusal(file, symbols=(BTC,))
    assert_read(read_candles(to_file(place, text(), "BTC_USDT.csv"), symbols=(BTC,)))


def test_a_name_with_several_symbols_tells_for_one_of_them_only(tmp_path: Path) -> None:
    for name, has in (("BTC_and_ETH.csv", "BTC and ETH"),
                      ("BTCUSDT_ETHUSDT.csv", "BTC/USDT and ETH/USDT")):  # fmt: skip
        file = to_file(tmp_path, text(), name)
        found = read(file, symbols=(ETH,))
        assert_read(found.candles, ETH)
        assert found.notes == (f"{name} was taken as ETH/USDT: its name has {has}",)
        for wanted in (None, (Symbol("SOL", "USDT"),)):
            said = refusal(file, symbols=wanted)
            assert f"Its name has {has}, and no column has a symbol" in said


def test_a_column_tells_more_than_a_name(tmp_path: Path) -> None:
    rows = [f"{'symbol' if not n else 'ETHUSDT'},{line}" for n, line in enumerate(lines())]
    file = to_file(tmp_path, "\n".join(rows).encode(), "BTC_USDT-1h.csv")
    assert "it has ETH/USDT" in refusal(file, symbols=(BTC,))
    assert_read(read_candles(file, symbols=(ETH,)), ETH)


@pytest.mark.parametrize("name", ["candles.csv", "data_1h.csv", "OHLCV.csv", "2026-01.csv"])
def test_a_file_without_a_symbol_is_taken_for_the_one_that_is_wanted_and_that_is_told(
    tmp_path: Path, name: str
) -> None:
    file = to_file(tmp_path, text(), name)
    found = read(file, symbols=(BTC,))
    assert_read(found.candles)
    assert found.notes == (f"{name} was taken as BTC/USDT: neither name nor column tells",)
    for wanted in (None, (BTC, ETH)):
        said = refusal(file, symbols=wanted)
        assert "Neither its name nor a column has a symbol" in said
        assert "--symbols BTC/USDT" in said


def test_a_name_without_a_currency_is_that_of_the_wanted_symbol(tmp_path: Path) -> None:
    found = read(to_file(tmp_path, text(), "btc-1h.csv"), symbols=(ETH, BTC)[1:])
    assert_read(found.candles)
    assert found.notes == ("btc-1h.csv was taken as BTC/USDT: it names no currency",)


@pytest.mark.parametrize("name", ["BTC_USDT-1h.csv", "BTC_USDT-60m.csv", "BTC_USDT.csv"])
def test_a_length_in_a_name_that_is_right_is_not_told(tmp_path: Path, name: str) -> None:
    assert read(to_file(tmp_path, text(), name)).notes == ()


def test_a_wrong_length_in_a_name_is_told_and_does_not_count(tmp_path: Path) -> None:
    found = read(to_file(tmp_path, text(), "BTC_USDT-5m.csv"), timeframe=HOUR)
    assert_read(found.candles)
    assert found.notes == ("BTC_USDT-5m.csv says 5m, and holds bars of 1h",)


# -- folders ----------------------------------------------------------------------------------


def minutes(step: int) -> bytes:
    rows = [f"{unix(BEGIN) + bar * step * 60},1,2,1,2,5" for bar in range(30)]
    return "\n".join(["time,open,high,low,close,volume", *rows]).encode()


def test_of_one_symbol_in_two_timeframes_the_wanted_one_is_taken(tmp_path: Path) -> None:
    to_file(tmp_path, minutes(5), "BTC_USDT-5m.csv")
    to_file(tmp_path, text(), "BTC_USDT-1h.csv")
    found = read(tmp_path, timeframe=HOUR, symbols=(BTC,))
    assert_read(found.candles)
    assert found.notes == ("BTC_USDT-5m.csv was left out: bars of 5m",)
    said = refusal(tmp_path)
    assert "with bars of 1h" in said
    assert "with bars of 5m" in said
    assert "--timeframe 5m" in said


def test_a_symbol_in_two_files_of_the_same_time_is_refused(tmp_path: Path) -> None:
    to_file(tmp_path, text(), "BTC_USDT-1h.csv")
    to_file(tmp_path, text(), "BTC_USDT_USDT-1h-futures.csv")
    said = refusal(tmp_path, symbols=(BTC,))
    assert "BTC_USDT-1h.csv" in said
    assert "BTC_USDT_USDT-1h-futures.csv" in said
    assert "Name the file that is meant" in said


def test_files_of_months_are_one_after_the_other(tmp_path: Path) -> None:
    every = lines(head=None)
    for name, part in (("2026-02", every[17:]), ("2026-01", every[:17])):
        to_file(tmp_path, "\n".join(part).encode(), f"BTCUSDT-1h-{name}.csv")
    assert_read(read_candles(tmp_path))


def test_a_flaw_in_a_later_file_is_told_with_that_file(tmp_path: Path) -> None:
    every = lines(head=None)
    bad = [*every[17:20], f"{unix(TIMES[20])},1,2,-1,2,5", *every[21:]]
    for name, part in (("2026-02", bad), ("2026-01", every[:17])):
        to_file(tmp_path, "\n".join(part).encode(), f"BTCUSDT-1h-{name}.csv")
    assert "BTCUSDT-1h-2026-02.csv, line 4: BTC/USDT at 2026-01-31 16:00" in refusal(tmp_path)


def test_a_folder_of_freqtrade_is_read_and_what_is_no_candle_left_out(tmp_path: Path) -> None:
    for name in (
        "BTC_USDT_USDT-1h-futures",
        "BTC_USDT_USDT-8h-mark",
        "BTC_USDT_USDT-8h-funding_rate",
    ):
        feather.write_feather(a_table(), str(tmp_path / f"{name}.feather"))
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / ".hidden.csv").write_text("nothing")
    found = read(tmp_path, symbols=(BTC,), timeframe=HOUR)
    assert_read(found.candles)
    assert [note.partition(" ")[0] for note in found.notes] == [
        "BTC_USDT_USDT-8h-funding_rate.feather", "BTC_USDT_USDT-8h-mark.feather",
    ]  # fmt: skip


def test_of_a_folder_without_what_is_wanted_is_told_what_it_has(tmp_path: Path) -> None:
    to_file(tmp_path, text(), "BTC_USDT_USDT-1h-mark.csv")
    said = refusal(tmp_path, symbols=(BTC,))
    assert said.endswith("BTC_USDT_USDT-1h-mark.csv was left out: its name says that it holds no "
                         "candles")  # fmt: skip
    to_file(tmp_path, text(), "ETH_USDT-1h.csv")
    assert "it has ETH/USDT, by names of files. To take what it has: --symbols ETH/USDT" in refusal(
        tmp_path, symbols=(BTC,)
    )


def test_of_hundreds_of_files_only_the_wanted_are_opened(tmp_path: Path) -> None:
    for number in range(300):
        to_file(tmp_path, b"not candles", f"COIN{number}_USDT-1h.csv")
    to_file(tmp_path, text())
    assert_read(read_candles(tmp_path, symbols=(BTC,)))


# -- what is refused --------------------------------------------------------------------------


def changed(row: int, line: str) -> bytes:
    every = lines()
    every[row] = line
    return "\n".join([*every, ""]).encode()


AT = unix(TIMES[4])
REFUSED: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "is empty"),
    "only names": (lines()[0].encode(), "has the names of columns, and no bar"),
    "one bar": ("\n".join(lines()[:2]).encode(), "has one bar only"),
    "a web page": (b"<!doctype html><html>404</html>", "is a web page or JSON"),
    "JSON": (b"[[1,2,3,4,5,6]]", "is a web page or JSON"),
    "a zip": (b"PK\x03\x04" + b"x" * 99, "is no text: unpack it"),
    "words": (b"this is no table\nat all\n", "has no line that names its columns"),
    "no volume": (text(head="time,open,high,low,close,x"), "has no column volume; it has time"),
    "only when it closes": (text(head="close_time,open,high,low,close,volume"), "no column with"),
    "two of one name": (text(head="time,open,high,low,close,volume").replace(
        b"time,open", b"time,time,open").replace(b"\n17", b"\n1,17"), "has two columns for time"),
    "cut off": (text()[:-20], "fields where 6 are expected"),
    "a decimal comma between commas": (text(number=with_comma), "where 6 are expected"),
    "seconds, then milliseconds": (
        changed(5, f"{AT}000,1,2,1,2,5"), "line 6: its times turn from seconds"),
    "nanoseconds, then microseconds": (
        text(lambda at: unix(at) * (10**9 if at < TIMES[9] else 10**6)), "line 11: its times turn"),
    "no times": (text(TIMES.index), "is no time; expected are"),
    "a time is missing": (changed(5, ",1,2,1,2,5"), "line 6: a time is missing"),
    "times of two forms": (
        text(lambda at: at.isoformat() if at < TIMES[9] else f"{at:%d.%m.%Y}"), "line 11: "),
    "a zone here and there": (
        text(lambda at: f"{at:%d.%m.%Y %H:%M}{'' if at < TIMES[9] else ' UTC'}"),
        "some of its times have a zone"),
    "no number": (changed(5, f"{AT},1,2,1,abc,5"), "line 6: the column close holds what is no"),
    "not a number": (changed(5, f"{AT},1,2,1,NaN,5"), "has prices that are no numbers"),
    "infinite": (changed(5, f"{AT},1,2,1,inf,5"), "line 6"),
    "negative": (changed(5, f"{AT},1,2,-1,2,5"), "line 6: BTC/USDT at 2026-01-31 00:00:00 has a"),
    "high below low": (changed(5, f"{AT},1,0.5,1,1,5"), "high or low that its open or close"),
    "negative volume": (changed(5, f"{AT},1,2,1,2,-5"), "has a volume below 0"),
    "twice": (changed(5, lines()[4]), "line 6: BTC/USDT at 2026-01-30 23:00:00 stands there twice"),
    "disorder": ("\n".join([*lines()[:5], lines()[7], lines()[6], *lines()[8:]]).encode(),
                 "comes after a later bar"),
    "names again, as of two files in one": (
        text() + text(), "line 42: 'time' is no number, as its other times are"),
    "a sum below": (text() + b"total,1,2,1,2,5\n", "line 42: 'total' is no number"),
    "off the grid": (changed(5, f"{AT + 60},1,2,1,2,5"), "lies between two bars"),
    "open and close before high and low, without names": (
        b"\n".join(b",".join([f[0], f[1], f[4], f[2], f[3], f[5]]) for f in
                   (line.encode().split(b",") for line in lines(head=None))),
        "they were taken as time, open, high, low, close, volume"),
    "thousands or decimals": (
        b"time;open;high;low;close;volume\n" + b"\n".join(
            f"{unix(at)};1,234;1,235;1,233;1,234;1".encode() for at in TIMES),
        "whether 1,234 has thousands or decimals cannot be told"),
    "days or months": (
        b"time,open,high,low,close,volume\n" + b"\n".join(
            f"03/04/2026 {hour:02}:00,1,2,1,2,5".encode() for hour in range(24)),
        "which number of its dates is the day"),
    "days of a zone with summer time": (
        b"time,open,high,low,close,volume\n" + b"\n".join(
            f"2026-03-{day:02} 00:00:00-0{5 if day < 9 else 4}:00,1,2,1,2,5".encode()
            for day in range(2, 20)),
        "begin at 04:00 and at 05:00 UTC, as days of a zone with summer time do"),
}  # fmt: skip


@pytest.mark.parametrize("late", [1, 59, 60, 1_800, 3_599])
def test_one_bar_off_the_grid_is_told_with_its_line_and_is_no_other_length(
    tmp_path: Path, late: int
) -> None:
    file = to_file(tmp_path, changed(5, f"{AT + late},1,2,1,2,5"))
    for timeframe in (None, HOUR):
        said = refusal(file, timeframe=timeframe)
        assert "line 6: BTC/USDT at " in said
        assert said.endswith("lies between two bars of 1h")


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_for_sure_is_refused_in_words(tmp_path: Path, what: str) -> None:
    content, said = REFUSED[what]
    assert said in refusal(to_file(tmp_path, content))


@pytest.mark.parametrize(
    "name", ["BTC_USDT.csv.gz", "BTC_USDT.parquet", "BTC_USDT.feather", "BTC_USDT.csv.zst"]
)
@pytest.mark.parametrize("content", [b"", b"nonsense", gzip.compress(text())[:200]])
def test_what_is_not_what_it_is_called_is_refused_in_words(
    tmp_path: Path, name: str, content: bytes
) -> None:
    said = refusal(to_file(tmp_path, content, name))
    assert name in said
    assert "Traceback" not in said


def test_bars_in_which_nothing_was_traded_are_gaps(tmp_path: Path) -> None:
    for empty in (",,,,", "NaN,NaN,NaN,NaN,NaN", "null,null,null,null,0", "nan,nan,nan,nan,0.0"):
        candles = read_candles(to_file(tmp_path, changed(5, f"{AT},{empty}")))
        assert np.flatnonzero(np.isnan(candles.close[0])).tolist() == [4]
        assert np.isnan(candles.volume[0, 4])


BASES = (text(), text(between=";", number=with_comma), text(lambda at: at.isoformat()))
EDITS = st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6)), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(base=st.sampled_from(BASES), edits=EDITS, kind=st.sampled_from(["csv", "csv.gz", "parquet"]))
def test_whatever_is_in_a_file_is_read_or_refused_in_words(
    tmp_path: Path, base: bytes, edits: list[tuple[int, bytes]], kind: str
) -> None:
    content = base
    if kind == "parquet":
        sink = io.BytesIO()
        parquet.write_table(csv.read_csv(io.BytesIO(BASES[0])), sink)
        content = sink.getvalue()
    for place, put in edits:
        content = content[:place] + put + content[place + len(put) // 2 :]
    if kind == "csv.gz":
        content = gzip.compress(content)
    found = read_or_told(to_file(tmp_path, content, f"BTC_USDT-1h.{kind}"))
    if isinstance(found, str):
        assert str(tmp_path) in found
    else:
        assert (np.diff(found.times) > 0).all()
        assert not (found.low > found.high).any()


def read_or_told(file: Path) -> Candles | str:
    try:
        return read_candles(file)
    except ValueError as error:
        return str(error)
