"""`quarterdeck backtest` as an operator runs it, and `/backtest` in another process."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chatbot.app.start import App
from chatbot.cli import backtest
from chatbot.cli.backtest_export import as_json
from chatbot.folder.history import HISTORY
from chatbot.folder.state import StateFolder
from chatbot.settings import Settings, load
from chatbot.wiring.build import build
from handlers.caller import Caller, Role
from handlers.message import Message
from handlers.reply import Outcome, Reply
from handlers.texts.phrases import REFUSED
from storage.store import SqlStore
from tests.builders import NOON
from tests.chatbot.cli.test_say import quarterdeck
from trading.backtest.result import Result
from trading.clocks import ManualClock
from trading.market.candles import Candles
from trading.market.recording import crash_of_may_2021

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text(encoding="utf-8")
QUIET = {"QUARTERDECK__CHAT__CONSOLE__ENABLED": "false"}
BEN = Caller("telegram:2", "ben", Role.OPERATOR, "Telegram", "telegram:2", edits=True)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with the shipped settings, and the recorded crash as a table."""
    (tmp_path / "bot.toml").write_text(SHIPPED, encoding="utf-8")
    as_csv(crash_of_may_2021().candles, tmp_path / "crash.csv")
    return tmp_path


def as_csv(candles: Candles, file: Path) -> None:
    lines = ["symbol,ts,open,high,low,close,volume"]
    for row, symbol in enumerate(candles.symbols):
        panels = (candles.open, candles.high, candles.low, candles.close, candles.volume)
        for column, time in enumerate(candles.times.tolist()):
            figures = ",".join(repr(float(panel[row, column])) for panel in panels)
            lines.append(f"{symbol},{time - 60_000},{figures}")
    file.write_text("\n".join([*lines, ""]))


def asked(here: Path, **changes: str | Path) -> backtest.BacktestArguments:
    return replace(backtest.BacktestArguments(trader="majors", data=here / "crash.csv"), **changes)  # type: ignore[arg-type]  # replace checks the names


def settings_in(here: Path) -> Settings:
    return load(here / "bot.toml", {})


@pytest.fixture
def result(here: Path) -> Result:
    return backtest.backtest(settings_in(here), asked(here))


# -- the command line -------------------------------------------------------------------------


async def test_it_tells_what_came_of_it_beside_buy_and_hold(here: Path) -> None:
    ended = await quarterdeck("backtest", "--trader", "majors", "--data", "crash.csv", cwd=here)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("majors, ema_cross: 2021-05-19 ")
    for words in ("Buy and hold -", "profit factor", "Sharpe", "By symbol:", "By exit:"):
        assert words in ended.out


async def test_every_bar_by_the_trader_comes_to_the_same(here: Path) -> None:
    asked = ("backtest", "--trader", "majors", "--data", "crash.csv", "--json")
    fast = await quarterdeck(*asked, cwd=here)
    trader = await quarterdeck(*asked, "--every-bar", cwd=here)
    assert (fast.code, trader.code) == (0, 0), fast.err + trader.err
    told, reference = json.loads(fast.out), json.loads(trader.out)
    assert told["trades"] == reference["trades"] != []
    assert moved(told) == moved(reference)


def moved(told: dict[str, list[dict[str, str]]]) -> list[list[str]]:
    """What each fill did, in order, to the last digit."""
    names = ("at", "symbol", "side", "role", "type", "quantity", "price", "fee", "reason")
    return [[fill[name] for name in names] for fill in told["fills"]]


async def test_json_holds_everything_and_adds_up(here: Path) -> None:
    ended = await quarterdeck(
        "backtest", "--trader", "majors", "--data", "crash.csv", "--json", cwd=here
    )
    found = json.loads(ended.out)
    assert found["trades"]
    assert len(found["curve"]["times"]) == len(found["curve"]["equity"])
    profit = sum(float(trade["profit"]) for trade in found["trades"])
    assert float(found["profit"]) == pytest.approx(profit)
    parts = sum(float(part["profit"]) for part in found["by_symbol"].values())
    assert parts == pytest.approx(profit)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trader", "minors"), "There is no trader minors; there is majors"),
        (("--from", "2021-05-20", "--to", "2021-05-19"), "is not before --to 2021-05-19"),
        (("--from", "yesterday"), "yesterday is no day and no moment; as in 2021-05-19"),
        (("--from", "2022-01-01"), "There are no bars to trade in"),
        (("--data", "none.csv"), "There is no none.csv"),
        (("--timeframe", "1h"), "has candles of 1m, and 1h is wanted"),
        (("--timeframe", "soon"), "soon is no timeframe; as in 1m, 15m, 1h or 1d"),
        (("--symbols", "LTC/USDT"), "has no candles of LTC/USDT"),
        (("--html", "none/page.html"), "none/page.html: No such file or directory. Name a file"),
        (("--export", "crash.csv"), "crash.csv: File exists. Name a file"),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(
    here: Path, arguments: tuple[str, ...], said: str
) -> None:
    given = {"--trader": "majors", "--data": "crash.csv"} | dict(
        zip(arguments[::2], arguments[1::2], strict=True)
    )
    words = [word for pair in given.items() for word in pair]
    ended = await quarterdeck("backtest", *words, cwd=here)
    assert ended.code == 1
    assert said in ended.err
    assert "Traceback" not in ended.err


def odd_crash(here: Path, change: Callable[[list[str]], list[str]], name: str = "odd.csv") -> Path:
    head, *rows = (here / "crash.csv").read_text().splitlines()
    (here / name).write_text("\n".join([head, *change(rows), ""]))
    return here / name


def test_what_is_odd_about_the_data_is_counted_in_the_report(here: Path) -> None:
    def odd(rows: list[str]) -> list[str]:
        fields = [row.split(",") for row in rows if row.startswith("BTC/USDT")]
        for place in (50, 51):
            fields[place][-1] = "0"
        for row in fields[600:]:
            row[2:6] = [repr(float(price) * 20) for price in row[2:6]]
        return [",".join(row) for place, row in enumerate(fields) if place not in {10, 11, 12}]

    file = odd_crash(here, odd)
    found = backtest.backtest(settings_in(here), asked(here, symbols="BTC/USDT", data=file))
    text = backtest.as_text(found)
    assert "Data: 3 of 1,080 bars missing, 2 without volume" in text
    assert re.search(r"1 jump of 10 times and more: BTC/USDT x 2\d.* at 2021-05-19 12:01", text)
    told = as_json(found)["data"]
    assert (told["bars"], told["missing"], told["without_volume"]) == (1_080, 3, 2)
    assert [jump["symbol"] for jump in told["jumps"]] == ["BTC/USDT"]


def test_what_a_nameless_file_was_taken_for_is_told_in_the_report(here: Path) -> None:
    file = odd_crash(here, lambda rows: [row for row in rows if row.startswith("BTC/USDT")])
    lines = [line.split(",", 1)[1] for line in file.read_text().splitlines()]
    file.write_text("\n".join(lines))
    found = backtest.backtest(settings_in(here), asked(here, symbols="BTC/USDT", data=file))
    assert "odd.csv was taken as BTC/USDT: neither name nor column tells" in backtest.as_text(found)


@pytest.mark.parametrize("begin", ["", "2021-05-19T02:10"])
@pytest.mark.parametrize("bars", [20, 288])
def test_a_history_shorter_than_the_strategy_looks_back_is_told_with_both_figures(
    here: Path, begin: str, bars: int
) -> None:
    file = odd_crash(
        here, lambda rows: [r for r in rows if r.startswith("BTC/USDT")][:bars], "BTC_USDT.csv"
    )
    with pytest.raises(ValueError, match="bars before it can trade") as caught:
        backtest.backtest(
            settings_in(here), asked(here, symbols="BTC/USDT", data=file, begin=begin)
        )
    assert "ema_cross needs 290 bars before it can trade" in str(caught.value)
    assert f"the data has {bars} bars, from 2021-05-19 02:01 to " in str(caught.value)


def test_symbols_in_two_currencies_are_no_one_account(here: Path) -> None:
    file = odd_crash(here, lambda rows: [row.replace("ETH/USDT", "ETH/EUR") for row in rows])
    with pytest.raises(ValueError, match="The symbols are in EUR and USDT, and one account has"):
        backtest.backtest(settings_in(here), asked(here, symbols="all", data=file))


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"a,b\n1,2\n", b"PAR1PAR1", b"time;open\n"])
@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.feather", "x.csv.gz", "x.xlsx"])
def test_no_file_brings_more_than_a_sentence(here: Path, content: bytes, name: str) -> None:
    (here / name).write_bytes(content)
    with pytest.raises(ValueError, match=name) as caught:
        backtest.backtest(settings_in(here), asked(here, data=here / name))
    (said,) = backtest.reasons(caught.value)
    assert "\n" not in said


def test_a_day_that_is_named_is_meant_whole(here: Path) -> None:
    made = backtest.made(settings_in(here), asked(here, begin="2021-05-19", end="2021-05-19"))
    assert made.begin is not None
    assert made.end is not None
    assert (made.end - made.begin).days == 1


def test_a_page_needs_nothing_else_and_escapes_everything(result: Result) -> None:
    evil = replace(result, strategy="<script>alert(1)</script>")
    page = backtest.as_page(evil, b"\x89PNG")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    tags = Tags()
    tags.feed(page)
    assert tags.sources == ["data:image/png;base64,iVBORw=="]
    assert tags.open == []
    assert page.count("<tr>") > len(result.trades)


class Tags(HTMLParser):
    """What is opened is closed, and where pictures come from."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.sources += [value or "" for name, value in attrs if name == "src"]
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.slow
def test_a_page_has_a_picture_of_the_equity(here: Path, result: Result) -> None:
    backtest.write_page(result, here / "page.html", theme="light")
    assert 'src="data:image/png;base64,iVBOR' in (here / "page.html").read_text("utf-8")


# -- the command in a chat --------------------------------------------------------------------


@asynccontextmanager
async def a_desk(folder: Path) -> AsyncIterator[App]:
    """The real app, its clock standing."""
    clock = ManualClock(NOON)
    with StateFolder(folder) as state:
        store = await SqlStore.open(folder / HISTORY, clock=clock)
        app = await build(load(folder.parent / "bot.toml", QUIET), state, store, clock)
        try:
            yield app
        finally:
            for close in app.closing:
                await close()
            await store.close()


async def say(app: App, text: str, caller: Caller = BEN) -> Reply:
    return await app.dispatcher.handle(Message(caller, text, app.clock.now()))


async def followed(app: App, reply: Reply) -> list[Reply]:
    """Every stage that is edited in, time passing as it is waited for."""
    shown = [reply]
    while shown[-1].then is not None:
        waiting = asyncio.ensure_future(shown[-1].then())
        while not waiting.done():
            app.clock.advance(1)  # type: ignore[attr-defined]  # it is ours
            await asyncio.sleep(0.01)
        stage = await waiting
        assert stage is not None
        shown.append(stage)
    return shown


@pytest.mark.slow
async def test_a_backtest_in_a_chat_tells_how_far_it_is_and_then_what_came_of_it(
    here: Path,
) -> None:
    async with a_desk(here / "state") as app:
        first = await say(app, "/backtest 7")
        assert first.title.startswith("Backtest of majors: ")
        assert [choice.command for choice in first.choices] == ["/end_backtest"]
        last = (await followed(app, first))[-1]
        assert last.title.startswith("Backtest: "), last
        assert last.chart is not None
        assert "Buy and hold" in last.text


@pytest.mark.slow
async def test_a_face_that_cannot_edit_is_answered_once(here: Path) -> None:
    async with a_desk(here / "state") as app:
        reply = await say(app, "/backtest", replace(BEN, edits=False))
        assert reply.then is None
        assert reply.title.startswith("Backtest: "), reply


@pytest.mark.slow
async def test_one_runs_at_a_time_and_can_be_ended(here: Path) -> None:
    async with a_desk(here / "state") as app:
        first = await say(app, "/backtest")
        second = await say(app, "/backtest")
        assert second.outcome is Outcome.REFUSED
        assert second.title == f"{REFUSED} A backtest of majors runs already"
        assert (await say(app, "/end_backtest")).title == "Backtest of majors ended"
        last = (await followed(app, first))[-1]
        assert last.outcome is Outcome.REFUSED
        assert "It was ended" in last.text
        again = await say(app, "/backtest")
        assert again.title.startswith("Backtest of majors: ")
        await say(app, "/end_backtest")


async def test_ending_none_is_refused_in_words(here: Path) -> None:
    async with a_desk(here / "state") as app:
        assert (await say(app, "/end_backtest")).outcome is Outcome.REFUSED


def test_the_process_is_given_no_secret() -> None:
    from chatbot.app import backtests

    os.environ["QUARTERDECK__CHAT__TELEGRAM__TOKEN"] = "12345:secret"
    try:
        assert "12345:secret" not in backtests._environment().values()
    finally:
        del os.environ["QUARTERDECK__CHAT__TELEGRAM__TOKEN"]
