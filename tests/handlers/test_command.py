"""From words to typed arguments, and what no platform would accept."""

from __future__ import annotations

import ast
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.caller import Role
from handlers.command import (
    Command,
    Commands,
    HaltId,
    Money,
    Page,
    Parameter,
    Price,
    Range,
    Rest,
    Rows,
    Share,
    TraderName,
    _convert,
    command,
)
from handlers.commands.help import as_markdown
from handlers.context import Context
from handlers.meaning import BadUsage, Known
from handlers.reply import Reply
from tests.architecture.source import dotted, files, tree
from tests.handlers.story import COMMANDS
from trading.errors import Refused
from trading.types import Symbol

BTC, ETH, BTC_EUR = Symbol("BTC", "USDT"), Symbol("ETH", "USDT"), Symbol("BTC", "EUR")
ONE: Known = {"majors": (BTC, ETH)}
TWO: Known = {"majors": (BTC, ETH), "alts": (ETH, Symbol("DOGE", "USDT"))}
EURO: Known = {"majors": (BTC,), "euro": (BTC_EUR,)}


ALL, NOTHING = Share(Decimal(1)), Rest("")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@command(family="Look", example="SYMBOL 50%")
async def many(
    ctx: Context,
    symbol: Symbol,
    share: Share = ALL,
    n: Rows = 5,
    colour: Colour = Colour.RED,
    *,
    trader: TraderName,
) -> Reply:
    """Takes one of each.

    Told in two
    lines.
    symbol: as in BTC
    share: how much
    n: how many
    colour: which
    """
    return Reply("")


@command(family="Look")
async def talk(ctx: Context, words: Rest = NOTHING, *, trader: str = "") -> Reply:
    """Takes everything.

    words: whatever
    trader: whose
    """
    return Reply("")


def bound(text: str, known: Known = ONE, of: Command = many) -> dict[str, object]:
    return of.bind(text.split(), known)


def test_positional_words_become_typed_arguments() -> None:
    assert bound("btc 50% 3 BLUE") == {
        "symbol": BTC,
        "share": Decimal("0.5"),
        "n": 3,
        "colour": Colour.BLUE,
        "trader": "majors",
    }


def test_any_argument_may_be_named_in_any_order() -> None:
    assert bound("n=3 trader=MAJORS Share=all btc") == {
        "symbol": BTC,
        "share": Decimal(1),
        "n": 3,
        "trader": "majors",
    }


@pytest.mark.parametrize("word", ["BTC", "btc", "BTC/USDT", "btcusdt", "BTC-USDT"])
def test_a_symbol_is_understood_in_its_usual_spellings(word: str) -> None:
    assert bound(word)["symbol"] == BTC


@pytest.mark.parametrize(
    ("word", "share"),
    [("50%", "0.5"), ("0.5", "0.5"), ("half", "0.5"), ("all", "1"), ("ALL", "1"), ("1%", "0.01"),
     ("100%", "1"), ("12.5%", "0.125")],
)  # fmt: skip
def test_shares(word: str, share: str) -> None:
    assert bound(f"BTC {word}")["share"] == Decimal(share)


@pytest.mark.parametrize(
    ("text", "known", "sentence"),
    [
        ("", ONE, "/many needs SYMBOL"),
        ("LTC", ONE, "LTC is not traded here; here is BTC and ETH"),
        ("BTC 150%", ONE, "Share is 1 to 100\u00a0%, not 150\u00a0%"),
        ("BTC 0.005", ONE, "Share is 1 to 100\u00a0%, not 0.5\u00a0%"),
        ("BTC -50%", ONE, "Share is 1 to 100\u00a0%, not -50\u00a0%"),
        ("BTC 0", ONE, "Share is 1 to 100\u00a0%, not 0\u00a0%"),
        ("BTC 1", ONE, "Share 1 is unclear: write 50%, 0.5 or all"),
        ("BTC 50", ONE, "Share 50 is unclear: write 50%, 0.5 or all"),
        ("BTC nan", ONE, "Share is a share such as 50%, not nan"),
        ("BTC inf%", ONE, "Share is a share such as 50%, not inf%"),
        ("BTC 1e99", ONE, "Share is a share such as 50%, not 1e99"),
        ("BTC some", ONE, "Share is a share such as 50%, not some"),
        ("BTC all%", ONE, "Share is a share such as 50%, not all%"),
        ("BTC all 9", ONE, "N is 1 to 8, not 9"),
        ("BTC all 0", ONE, "N is 1 to 8, not 0"),
        ("BTC all two", ONE, "N is 1 to 8, not two"),
        ("BTC all 2 green", ONE, "Colour is red or blue, not green"),
        ("BTC all 2 red now please", ONE, "/many does not take “now please”"),
        ("BTC trader=minors", ONE, "There is no trader minors; there is majors"),
        ("BTC", {}, "BTC is not traded here"),
        ("ETH", TWO, "Which trader: majors or alts?"),
        ("BTC", EURO, "BTC could be BTC/EUR or BTC/USDT"),
    ],
)
def test_every_mistake_has_its_sentence(text: str, known: Known, sentence: str) -> None:
    with pytest.raises(Refused) as told:
        bound(text, known)

    assert str(told.value) == sentence


def test_a_symbol_that_only_one_trader_has_names_the_trader() -> None:
    assert bound("DOGE", TWO)["trader"] == "alts"
    assert bound("ETH trader=alts", TWO)["trader"] == "alts"


def test_what_could_mean_several_traders_or_pairs_is_asked_with_buttons() -> None:
    with pytest.raises(BadUsage) as several:
        bound("ETH 50%", TWO)
    with pytest.raises(BadUsage) as pairs:
        bound("BTC 50%", EURO)

    assert [c.command for c in several.value.choices] == [
        "/many ETH 50% trader=majors",
        "/many ETH 50% trader=alts",
    ]
    assert [c.command for c in pairs.value.choices] == ["/many BTC/EUR 50%", "/many BTC/USDT 50%"]


def test_the_rest_of_the_line_is_taken_as_it_is() -> None:
    assert bound("a=b is 5% c trader=x", of=talk) == {"words": "a=b is 5% c", "trader": "x"}
    assert bound("trader=", of=talk) == {"words": "trader="}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "/many"),
        ({"symbol": "BTC"}, "/many BTC"),
        ({"symbol": "BTC", "share": "50%", "n": "3"}, "/many BTC 50% 3"),
        ({"symbol": "BTC", "n": "3", "colour": "red"}, "/many BTC n=3 colour=red"),
        ({"trader": "majors", "share": " ", "symbol": "BTC"}, "/many BTC trader=majors"),
        ({"symbol": "BTC", "unheard": "of"}, "/many BTC"),
    ],
)
def test_named_values_make_the_line_that_would_be_typed(given: dict[str, str], line: str) -> None:
    assert many.line(given) == line


def test_a_line_made_of_named_values_is_read_back_as_they_were() -> None:
    line = talk.line({"words": " all  of\nit ", "trader": "x"})

    assert line == "/talk all of it trader=x"
    assert bound(line.partition(" ")[2], of=talk) == {"words": "all of it", "trader": "x"}


def test_usage_is_told_with_an_example() -> None:
    assert many.usage == "/many SYMBOL [share] [n] [colour]"
    assert many.usage_with_example("SOL").endswith(", as in /many SOL 50%")
    assert COMMANDS["close"].usage_with_example("BTC") == (
        "/close SYMBOL [share], as in /close BTC 50%"
    )
    assert many.details == "Told in two lines."


@pytest.mark.parametrize("kind", [Price, Money])
@pytest.mark.parametrize(
    ("word", "value"),
    [("117050", "117050"), ("117,050.0", "117050.0"), ("0.79", "0.79"), ("1,234,567", "1234567")],
)
def test_prices_are_typed_as_they_are_shown(kind: Any, word: str, value: str) -> None:
    assert _convert(a_parameter(kind), word) == Decimal(value)


@pytest.mark.parametrize("kind", [Price, Money])
@pytest.mark.parametrize(
    "word",
    ["0", "0.0", "-1", "nan", "inf", "1e3", "1,23", "12,3456", "1.", ".5", "1_000", "٣", "x"],
)
def test_what_is_not_a_price_is_refused(kind: Any, word: str) -> None:
    with pytest.raises(BadUsage, match="is a number above 0, not"):
        _convert(a_parameter(kind), word)


def a_parameter(kind: Any) -> Parameter:
    return Parameter(name="price", kind=kind, required=True, named=False, doc="which")


@given(st.text(max_size=60))
@example("trader=trader= = =x symbol=")
def test_whatever_is_typed_is_bound_or_refused(text: str) -> None:
    for each in (*COMMANDS.values(), many, talk):
        for known in (ONE, TWO, EURO, {}):
            with suppress(Refused):
                each.bind(text.split(), known)


@given(st.text(max_size=60))
def test_a_stop_can_never_be_mistyped(text: str) -> None:
    for name in ("stop", "pause"):
        COMMANDS[name].bind(text.split(), TWO)


# -- what is refused at start -------------------------------------------------------------


@command(family="Look")
async def Shout(ctx: Context) -> Reply:  # noqa: N802
    """Has a name that Telegram would refuse."""
    return Reply("")


@command(family="Look")
async def silent(ctx: Context) -> Reply:
    return Reply("")


@command(family="Look")
async def odd(ctx: Context, when: complex) -> Reply:
    """Takes something that nobody can type.

    when: then
    """
    return Reply("")


@command(family="Look")
async def wordy(ctx: Context, n: Page = 1) -> Reply:
    """Does not say what its parameter is."""
    return Reply("")


@command(family="Elsewhere")
async def stray(ctx: Context) -> Reply:
    """Is of no family."""
    return Reply("")


@command(family="Look")
async def backwards(ctx: Context, halt: HaltId | None = None, *, n: Any = 1) -> Reply:
    """Takes anything at all.

    halt: which
    n: anything
    """
    return Reply("")


@pytest.mark.parametrize("bad", [Shout, silent, odd, wordy, stray, backwards], ids=lambda c: c.name)
def test_commands_that_no_platform_would_accept_are_refused_at_start(bad: Command) -> None:
    with pytest.raises(ValueError, match=bad.name):
        Commands([bad])


def test_two_commands_may_not_share_a_name() -> None:
    other = Command(**{f: getattr(many, f) for f in Command.__slots__} | {"name": "talk"})
    with pytest.raises(ValueError, match="two commands"):
        Commands([talk, other])


def test_every_function_that_is_a_command_can_be_said() -> None:
    """Whatever file it stands in: nobody lists it anywhere."""
    written = {
        node.name.rstrip("_")
        for path in files("handlers/commands")
        for node in tree(path).body
        if isinstance(node, ast.AsyncFunctionDef)
        and any(dotted(each).startswith("command") for each in node.decorator_list)
    }
    assert len(written) > 50
    assert set(COMMANDS) == written


def test_parameters_tell_a_platform_what_they_take() -> None:
    resume = {p.name: p for p in COMMANDS["resume"].parameters}
    trades = {p.name: p for p in COMMANDS["trades"].parameters}

    assert resume["rebase"].options == ("rebase",)
    assert trades["n"].range == Range(1, 8)
    assert COMMANDS["close"].parameters[0].kind is Symbol
    assert not any(p.required and not p.named for p in COMMANDS["stop"].parameters)


def test_only_owners_change_the_desk_and_viewers_only_look() -> None:
    lowest = {"Look": Role.VIEWER, "Tell": Role.VIEWER, "Talk": Role.VIEWER, "Desk": Role.OWNER}
    for each in (c for c in COMMANDS.values() if c.acts):
        # Whoever was asked may answer, the code is bound to the person; to be told touches nothing.
        assert each.role >= lowest.get(each.family, Role.OPERATOR), each.name
    assert COMMANDS["write_off"].role is Role.OWNER
    assert COMMANDS["ack"].role is Role.OPERATOR


def test_what_loosens_acts_and_is_nothing_for_viewers_and_a_brake_never_does() -> None:
    for each in COMMANDS.values():
        assert not each.loosens or (each.acts and each.role >= Role.OPERATOR), each.name
        assert not each.at_once or each.loosens, each.name
        assert not each.instant or (each.acts and not each.loosens and each.family == "Stop")
        assert each.family != "Look" or not each.acts, each.name
    loosening = {c.name for c in COMMANDS.values() if c.loosens}
    assert loosening >= {"resume", "buy", "sell", "reload", "accept_books", "write_off", "strategy"}
    assert loosening.isdisjoint({"close", "flatten", "stop_loss", "cancel_order", "shutdown"})
    assert {c.name for c in COMMANDS.values() if c.instant} >= {"pause", "stop"}


def test_the_page_of_the_documents_lists_every_command_and_is_stable() -> None:
    page = as_markdown(COMMANDS)

    assert page == as_markdown(COMMANDS)
    assert page.endswith("\n")
    for each in COMMANDS.values():
        assert f"| `{each.usage}` | {each.role.name.lower()} | {each.summary} |" in page
