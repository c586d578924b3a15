"""What goes together: checks between sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import SecretStr

from chatbot.settings.feeds import prices_behind, votes
from chatbot.settings.people import chats_and_people
from chatbot.settings.places import PREFIX, GivenValues, Mistake, is_on, tables
from chatbot.settings.values import Timeframe, perhaps
from chatbot.watch.rules import AlertCondition
from trading.market.recordings import CRASH, RECORDINGS
from trading.model.halt import EVERYONE
from trading.types import Mode
from trading.venues import exchanges
from trading.venues.ccxt.row import Market

CCXT = "ccxt"


def across(said: GivenValues) -> Iterator[Mistake]:
    """Checks between sections, on what was given: other mistakes do not hide these."""
    traders = tables(said.values.get("traders"))
    enabled = {name: trader for name, trader in traders.items() if is_on(trader)}
    if traders and not enabled:
        yield said.at(("traders",), ": none is enabled, there is nothing to run")
    if EVERYONE in traders:
        yield said.at(("traders", EVERYONE), f': "{EVERYONE}" means every trader, choose another')
    for name, trader in traders.items():
        yield from _references(said, name, trader)
        if name in enabled:
            yield from _venue_and_feed(said, name, trader)
    yield from _owned_twice(said, enabled)
    yield from votes(said)
    yield from _rules_of_nobody(said, traders)
    yield from chats_and_people(said)


def _rules_of_nobody(said: GivenValues, traders: Mapping[str, Any]) -> Iterator[Mistake]:
    """Alert rules about a trader that there is not."""
    alerts = said.values.get("alerts")
    rules = alerts.get("rules") if isinstance(alerts, Mapping) else None
    for number, rule in enumerate(rules if isinstance(rules, list | tuple) else ()):
        written = rule.get("condition") if isinstance(rule, Mapping) else None
        try:
            named = AlertCondition.parse(str(written)).trader
        except ValueError:
            continue  # told as a mistake of its own
        if named and named not in traders:
            why = f"there is no [traders.{named}]{perhaps(named, traders)}"
            yield said.wrong(("alerts", "rules", number, "condition"), why)


def _references(said: GivenValues, name: str, trader: Mapping[str, Any]) -> Iterator[Mistake]:
    for key, section in (("venue", "venues"), ("feed", "feeds")):
        known = tables(said.values.get(section))
        named = trader.get(key)
        if isinstance(named, str) and named not in known:
            why = f"there is no [{section}.{named}]{perhaps(named, known)}"
            yield said.wrong(("traders", name, key), why)
    feeds, timeframe = tables(said.values.get("feeds")), trader.get("timeframe", "1m")
    recorded = {
        shown.timeframe
        for each in prices_behind(trader.get("feed"), feeds)
        if feeds[each].get("kind") == "replay"
        if (shown := RECORDINGS.get(str(feeds[each].get("data", CRASH)))) is not None
    }
    if recorded and timeframe in get_args(Timeframe) and timeframe not in recorded:
        why = f"feed {trader['feed']} has candles of {min(recorded)} only"
        yield said.wrong(("traders", name, "timeframe"), why)


def _venue_and_feed(said: GivenValues, name: str, trader: Mapping[str, Any]) -> Iterator[Mistake]:
    """What each mode needs of both."""
    venue = tables(said.values.get("venues")).get(str(trader.get("venue")))
    feed = tables(said.values.get("feeds")).get(str(trader.get("feed")))
    if venue is None or feed is None:
        return  # told already
    mode, place = trader.get("mode", Mode.PAPER), ("traders", name, "mode")
    real = venue.get("kind") == CCXT
    if mode == Mode.PAPER and real:
        why = f"paper needs a venue of kind paper, and {trader['venue']} is a real one"
        yield said.wrong(place, f"{why}; real prices are a feed of kind {CCXT}")
    if mode == Mode.LIVE and not real:
        yield said.wrong(place, f"live needs a venue of kind {CCXT}, and {trader['venue']} is none")
    if mode == Mode.LIVE and real:
        yield from _not_live(said, str(trader["venue"]), venue, place)
    if real:
        yield from _other_prices(said, name, trader, venue)


def _other_prices(
    said: GivenValues, name: str, trader: Mapping[str, Any], venue: Mapping[str, Any]
) -> Iterator[Mistake]:
    """What is held is worth what its own market says, whoever votes beside it."""
    feeds, place = tables(said.values.get("feeds")), ("traders", name, "feed")
    behind = [feeds[each] for each in prices_behind(trader["feed"], feeds)]
    real = [feed for feed in behind if feed.get("kind") == CCXT]
    if behind and not real:
        why = f"a venue of kind {CCXT} needs a feed of kind {CCXT}, and {trader['feed']} is none"
        yield said.wrong(place, why)
    elif real and _market_of(venue) not in map(_market_of, real):
        told = "its prices are" if len(behind) == 1 else "none of its sources is"
        other = "of another market than" if len(behind) == 1 else "of the market of"
        yield said.wrong(place, f"{told} {other} {trader['venue']}")


def _not_live(
    said: GivenValues, name: str, venue: Mapping[str, Any], place: tuple[str, ...]
) -> Iterator[Mistake]:
    """Each thing that is missing is a sentence of its own."""
    if not _is_no(venue.get("read_only", True)):
        why = f"live needs read_only = false in [venues.{name}]; as it is, no order is placed"
        yield said.wrong(place, why)
    for key in _credentials(venue):
        if venue.get(key) is None and not venue.get(f"{key}_file"):
            variable = f"{PREFIX}VENUES__{name.upper()}__{key.upper()}"
            yield said.at(
                ("venues", name),
                f" has no {key}: set {variable} in the environment, or name a {key}_file",
            )


def _credentials(venue: Mapping[str, Any]) -> Sequence[str]:
    """What a key of that exchange consists of."""
    exchange, market = _market_of(venue)
    if exchange not in exchanges.names() or market not in list(exchanges.markets_of(exchange)):
        return ()  # told already
    return exchanges.exchange(exchange, Market(market)).row.credentials


def _is_no(value: Any) -> bool:
    return str(value).lower() in {"false", "0", "no", "off", "n", "f"}


def _market_of(section: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(section.get(key)) for key in ("exchange", "market"))


def _owned_twice(said: GivenValues, enabled: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    """A live account has one trader: of two, nobody could tell whose its money is.

    On paper each trader has an account of its own.
    """
    venues = tables(said.values.get("venues"))
    owners: dict[Account, str] = {}
    for name, trader in enabled.items():
        if trader.get("mode") != Mode.LIVE:
            continue
        venue = str(trader.get("venue"))
        owner = owners.setdefault(_account(venue, venues), name)
        if owner != name:
            why = f": {venue} is the account of {owner}, and a live account has one trader"
            yield said.at(("traders", name, "venue"), why)


Account = tuple[str, ...]


def _account(venue: str, venues: Mapping[str, Mapping[str, Any]]) -> Account:
    """One key is one account, however many sections name it."""
    section = venues.get(venue, {})
    key = section.get("key")
    if not isinstance(key, SecretStr):
        return (venue,)
    return (*_market_of(section), key.get_secret_value().strip())
