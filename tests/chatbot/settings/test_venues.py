"""Settings of real venues: nothing goes live by accident, and every missing piece is a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatbot.settings import Settings, load
from chatbot.settings.trading import CcxtFeed, CcxtVenueSettings
from trading.errors import SettingsError
from trading.types import Mode
from trading.venues import exchanges
from trading.venues.ccxt.row import Can, Market

SHIPPED = (Path(__file__).parents[3] / "bot.toml").read_text()
VENUE = 'kind = "ccxt"\nexchange = "binance"\nmarket = "swap"\nread_only = false'
FEED = 'kind = "ccxt"\nexchange = "binance"\nmarket = "swap"'
VARIABLE = "QUARTERDECK__VENUES__REAL__"
KEYS = {VARIABLE + "KEY": "the-key", VARIABLE + "SECRET": "the-secret"}
TRADER = """
[traders.{name}]
venue = "{venue}"
feed = "{feed}"
strategy = "ema_cross"
symbols = ["BTC/USDT"]
timeframe = "{timeframe}"
mode = "{mode}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(
    folder: Path, *, real: str = VENUE, prices: str = FEED, more: str = "", **trader: str
) -> Path:
    """The shipped settings, with a real venue and feed, and a trader of theirs alone."""
    told = {"name": "big", "venue": "real", "feed": "prices", "timeframe": "15m", "mode": "live"}
    text = SHIPPED.replace("enabled = true        # false: it", "enabled = false # it")
    text += f"\n[venues.real]\n{real}\n[feeds.prices]\n{prices}\n" + TRADER.format(**told | trader)
    (folder / "bot.toml").write_text(text + more)
    return folder / "bot.toml"


def mistakes(file: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(file, KEYS if environ is None else environ)
    return [re.sub(r"^bot\.toml( \d+)?: ", "", sentence) for sentence in refused.value.mistakes]


def venue_of(settings: Settings) -> CcxtVenueSettings:
    venue = settings.venues["real"]
    assert isinstance(venue, CcxtVenueSettings)
    return venue


def uncommented(text: str, section: str) -> str:
    """The keys of a section that is commented out in the shipped file."""
    begin = text.index(f"# [{section}]")
    block = text[begin:].partition("\n\n")[0]
    return "\n".join(line.removeprefix("# ") for line in block.splitlines()[1:])


# -- what is right ----------------------------------------------------------------------------


def test_a_live_trader_with_all_it_needs(folder: Path) -> None:
    settings = load(write(folder), KEYS)
    venue, feed = venue_of(settings), settings.feeds["prices"]
    assert settings.traders["big"].mode is Mode.LIVE
    assert (venue.exchange, venue.market, venue.read_only) == ("binance", Market.SWAP, False)
    assert (venue.place, venue.offer.row.reduce_only) == ("binance swap", True)
    assert isinstance(feed, CcxtFeed)


def test_a_venue_is_read_only_until_somebody_says_otherwise(folder: Path) -> None:
    venue = VENUE.replace("read_only = false", "")
    settings = load(write(folder, real=venue, mode="dry_run"), KEYS)
    assert venue_of(settings).read_only


def test_the_testnet_is_called_so(folder: Path) -> None:
    settings = load(write(folder, real=f"{VENUE}\nsandbox = true"), KEYS)
    assert venue_of(settings).place == "binance swap testnet"


def test_paper_trades_on_real_prices_without_a_key(folder: Path) -> None:
    settings = load(write(folder, venue="paper", mode="paper", timeframe="1d"), {})
    assert settings.traders["big"].feed == "prices"


def test_the_examples_of_the_shipped_file_can_be_used_as_they_stand(folder: Path) -> None:
    for name in ("key", "secret", "passphrase"):
        file = folder / f"binance.{name}"
        file.write_text(f"the-{name}\n")
        file.chmod(0o600)
    settings = load(
        write(
            folder,
            real=uncommented(SHIPPED, "venues.binance"),
            prices=uncommented(SHIPPED, "feeds.binance"),
            mode="dry_run",
        ),
        {},
    )
    venue = venue_of(settings)
    assert (venue.read_only, venue.sandbox, venue.market) == (True, False, Market.SWAP)
    assert venue.url == "https://proxy.example.org"


# -- keys -------------------------------------------------------------------------------------


def test_keys_come_from_files_of_ones_own(folder: Path) -> None:
    for name in ("key", "secret"):
        (folder / name).write_text(f"the-{name}\n")
        (folder / name).chmod(0o600)
    settings = load(write(folder, real=f'{VENUE}\nkey_file = "key"\nsecret_file = "secret"'), {})
    assert sorted(settings.secrets()) == ["the-key", "the-secret"]
    assert "the-secret" not in repr(settings)


def test_a_key_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / "key").write_text("the-key")
    (folder / "key").chmod(0o644)
    environ = {"QUARTERDECK__VENUES__REAL__SECRET": "the-secret"}
    told = mistakes(write(folder, real=f'{VENUE}\nkey_file = "key"'), environ)
    assert any("venues.real.key_file" in each and "chmod 600" in each for each in told)
    assert "the-key" not in "".join(told)


def test_a_key_in_the_settings_is_refused_and_not_repeated(folder: Path) -> None:
    told = mistakes(write(folder, real=f'{VENUE}\nsecret = "hush"'))
    assert "set QUARTERDECK__VENUES__REAL__SECRET in the environment" in told[0]
    assert "hush" not in "".join(told)


# -- exchanges, whichever there are ---------------------------------------------------------------


EVERY = [(name, market) for name in exchanges.names() for market in exchanges.markets_of(name)]
each = pytest.mark.parametrize(("name", "market"), EVERY, ids=[f"{n} {m}" for n, m in EVERY])


def place(name: str, market: Market) -> str:
    return VENUE.replace('"binance"', f'"{name}"').replace('"swap"', f'"{market}"')


def prices(name: str, market: Market) -> str:
    return FEED.replace('"binance"', f'"{name}"').replace('"swap"', f'"{market}"')


@each
def test_what_an_exchanges_key_consists_of_is_asked_for_each_by_its_name(
    folder: Path, name: str, market: Market
) -> None:
    row = exchanges.exchange(name, market).row
    file = write(folder, real=place(name, market), prices=prices(name, market))
    told = mistakes(file, {})
    if row.lacking(Can.ENTRIES):
        assert any(row.lacking(Can.ENTRIES).rstrip(".") in sentence for sentence in told)
        return
    assert told == [missing(part) for part in row.credentials]
    environ = {VARIABLE + part.upper(): f"the-{part}" for part in row.credentials}
    assert venue_of(load(file, environ)).offer.row is row


@each
def test_a_testnet_that_there_is_not_is_refused_in_a_sentence(
    folder: Path, name: str, market: Market
) -> None:
    row = exchanges.exchange(name, market).row
    real = f"{place(name, market)}\nsandbox = true"
    file = write(folder, real=real, prices=prices(name, market), mode="dry_run")
    lacking = row.lacking(Can.ENTRIES) or row.lacking(Can.SANDBOX)
    if lacking:
        assert any(lacking.rstrip(".") in sentence for sentence in mistakes(file))
    else:
        assert venue_of(load(file, KEYS)).sandbox


# -- what keeps live away ---------------------------------------------------------------------


def missing(key: str) -> str:
    variable = VARIABLE + key.upper()
    return f"venues.real has no {key}: set {variable} in the environment, or name a {key}_file"


NOT_READ_ONLY = (
    'traders.big.mode = "live", live needs read_only = false in [venues.real]; '
    "as it is, no order is placed"
)


def test_each_missing_piece_is_a_sentence_of_its_own(folder: Path) -> None:
    assert mistakes(write(folder, real=VENUE.replace("false", "true")), {}) == [
        missing("key"),
        missing("secret"),
        NOT_READ_ONLY,
    ]


WRONG = [
    ({"venue": "paper"}, 'traders.big.mode = "live", live needs a venue of kind ccxt, and paper'),
    ({"feed": "crash"}, 'feed = "crash", a venue of kind ccxt needs a feed of kind ccxt'),
    ({"mode": "paper"}, "real prices are a feed of kind ccxt"),
]


@pytest.mark.parametrize(("trader", "told"), WRONG, ids=[told for _, told in WRONG])
def test_venue_feed_and_mode_go_together(folder: Path, trader: dict[str, str], told: str) -> None:
    assert any(told in sentence for sentence in mistakes(write(folder, **trader)))


def test_prices_of_another_market_are_no_prices_for_live(folder: Path) -> None:
    told = mistakes(write(folder, prices=FEED.replace("swap", "spot")))
    assert told == ['traders.big.feed = "prices", its prices are of another market than real']


UNKNOWN = [
    ('exchange = "binance"', 'exchange = "binanc"', "did you mean binance?"),
    ('market = "swap"', 'market = "future"', 'market = "future", allowed spot or swap'),
    ('market = "swap"', "", "venues.real.market is missing, wanted: spot or swap"),
    ('kind = "ccxt"', "", "venues.real.kind is missing, wanted: paper or ccxt"),
    ('kind = "ccxt"', 'kind = "cxt"', 'venues.real.kind = "cxt", allowed paper or ccxt'),
    ("read_only = false", "readonly = false", "did you mean venues.real.read_only?"),
    ("read_only = false", "slippage = 0", "venues.real.slippage is not known"),
    ("read_only = false", 'url = "ftp://x"', 'url = "ftp://x", allowed an address that begins'),
]


@pytest.mark.parametrize(("right", "wrong", "told"), UNKNOWN, ids=[told for *_, told in UNKNOWN])
def test_a_mistake_in_a_real_venue_is_told_with_its_place(
    folder: Path, right: str, wrong: str, told: str
) -> None:
    assert any(told in s for s in mistakes(write(folder, real=VENUE.replace(right, wrong))))


def test_an_empty_key_is_no_key(folder: Path) -> None:
    told = mistakes(write(folder), KEYS | {"QUARTERDECK__VENUES__REAL__KEY": " "})
    assert told == ["QUARTERDECK__VENUES__REAL__KEY = ***, allowed one word, without spaces"]


def test_one_account_under_two_names_still_has_one_trader(folder: Path) -> None:
    more = f"\n[venues.again]\n{VENUE}\n" + TRADER.format(
        name="other", venue="again", feed="prices", timeframe="1m", mode="live"
    )
    environ = KEYS | {name.replace("REAL", "AGAIN"): value for name, value in KEYS.items()}
    (told,) = mistakes(write(folder, more=more), environ)
    assert "again is the account of big, and a live account has one trader" in told
    assert "the-key" not in told
