"""From sections of the settings to the parts of a trader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from chatbot.settings import Settings, TraderSection
from chatbot.settings.feeds import VoteFeedSettings
from chatbot.settings.trading import (
    CcxtFeed,
    CcxtVenueSettings,
    ExchangeSettings,
    PaperVenueSettings,
)
from chatbot.wiring.connections import Connections
from trading.clocks import Clock
from trading.errors import SettingsError
from trading.market.recordings import RECORDINGS
from trading.model.exit_rules import ExitRules, PartialRule
from trading.ports import Feed, Journal, MarketScanner, Venue
from trading.strategies import strategy
from trading.strategies.base import Strategy
from trading.types import MarketRules, Mode, Symbol
from trading.venues.ccxt.row import Market
from trading.venues.paper.venue import PaperVenue as PaperBook
from trading.venues.replay import ReplayFeed

if TYPE_CHECKING:  # what speaks to exchanges loads where there is one: a paper desk starts sooner
    from trading.market.recording import Recording
    from trading.venues.ccxt.connection import Connection
    from trading.venues.ccxt.venue import CcxtVenue as ExchangeVenue

SPARE_BARS = 50
"""Candles that a live feed keeps besides a strategy's warm-up: for charts, and for a late look."""


def feed_of(settings: Settings, name: str, clock: Clock, connections: Connections) -> Feed:
    """The feed of trader *name*.  Raises `SettingsError` for a symbol it does not have."""
    section = settings.traders[name]
    feed = settings.feeds[section.feed]
    if not isinstance(feed, VoteFeedSettings):
        return prices_of(settings, name, section.feed, clock, connections)
    from trading.venues.vote import VoteFeed
    from trading.venues.vote_source import VoteSource

    sources = [
        VoteSource(
            feed=prices_of(settings, name, each.feed, clock, connections), weight=each.weight
        )
        for each in feed.sources
    ]
    return VoteFeed(
        name=section.feed,
        sources=sources,
        own=[each.feed for each in feed.sources].index(own_prices(settings, section)),
        far=float(feed.far),
        least=feed.least,
        symbols=tuple(dict.fromkeys(s for each in sources for s in each.feed.symbols)),
        clock=clock,
        offload=asyncio.to_thread,
    )


def own_prices(settings: Settings, section: TraderSection) -> str:
    """The feed of the market that the orders of a trader go to; on paper, the heaviest source."""
    feed, venue = settings.feeds[section.feed], settings.venues[section.venue]
    if not isinstance(feed, VoteFeedSettings):
        return section.feed
    for each in feed.sources:
        source = settings.feeds[each.feed]
        if isinstance(source, CcxtFeed) and _market(source) == _market(venue):
            return each.feed
    return max(feed.sources, key=lambda each: each.weight).feed


def prices_of(
    settings: Settings, name: str, feed_name: str, clock: Clock, connections: Connections
) -> Feed:
    """The feed *feed_name*, which has prices of its own, for trader *name*."""
    section, feed = settings.traders[name], settings.feeds[feed_name]
    if isinstance(feed, CcxtFeed):
        from trading.venues.ccxt.live_feed import LiveFeed

        return LiveFeed(
            name=feed_name,
            connection=connections.of_prices(feed),
            symbols=section.symbols,
            timeframe=section.bar,
            bars=strategy_of(settings, name).warmup + SPARE_BARS,
            clock=clock,
        )
    if isinstance(feed, VoteFeedSettings):
        raise TypeError(f"{feed_name} has no prices of its own")
    try:
        return ReplayFeed(
            name=feed_name,
            clock=clock,
            speed=float(feed.speed),
            symbols=_recorded(section, RECORDINGS[feed.data].rules),
            recording=lambda: _recording(feed.data),
            rules=RECORDINGS[feed.data].rules,
        )
    except ValueError as error:
        raise _mistake(settings, name, "symbols", error) from None


def scanner_of(settings: Settings, name: str, connections: Connections) -> MarketScanner | None:
    """Who looks at the market for the universe of trader *name*; None: its candles show all."""
    section = settings.traders[name]
    feed = settings.feeds[own_prices(settings, section)]
    if section.universe is None or not isinstance(feed, CcxtFeed):
        return None
    from trading.venues.ccxt.scan import ExchangeScan

    return ExchangeScan(connection=connections.of_prices(feed), quote=section.symbols[0].quote)


def _recorded(section: TraderSection, rules: Mapping[Symbol, MarketRules]) -> Sequence[Symbol]:
    """Of a recording: what the settings name, and all that a universe can find in it."""
    if section.universe is None:
        return section.symbols
    others = (s for s in rules if s.quote == section.symbols[0].quote)
    return tuple(dict.fromkeys((*section.symbols, *others)))


def _recording(name: str) -> Recording:
    from trading.market.recording import recording  # it brings NumPy, which the first cycle needs

    return recording(name)


def venue_of(
    settings: Settings, name: str, feed: Feed, *, book: Journal, clock: Clock,
    connections: Connections,
) -> Venue:  # fmt: skip
    """Where the orders of trader *name* go."""
    section = settings.traders[name]
    venue = settings.venues[section.venue]
    if isinstance(venue, PaperVenueSettings):
        return _paper(settings, section, venue, feed, book=book, connections=connections)
    return account_of(settings, name, venue, feed, clock=clock, connections=connections)


def account_of(
    settings: Settings, name: str, venue: CcxtVenueSettings, feed: Feed, *, clock: Clock,
    connections: Connections,
) -> ExchangeVenue:  # fmt: skip
    """A real account; whoever is not live only reads it."""
    from trading.venues.ccxt.venue import CcxtVenue as ExchangeVenue

    section = settings.traders[name]
    return ExchangeVenue(
        name=section.venue,
        trader=name,
        connection=connections.of_account(venue),
        symbols=section.symbols,
        price=feed.quote,
        read_only=venue.read_only or section.mode is not Mode.LIVE,
        clock=clock,
        every=section.universe is not None,
    )


def _paper(
    settings: Settings,
    section: TraderSection,
    venue: PaperVenueSettings,
    feed: Feed,
    *,
    book: Journal,
    connections: Connections,
) -> PaperBook:
    """Paper keeps to the rules of the market that its prices come from, and fills in its bars."""
    prices = settings.feeds[own_prices(settings, section)]
    if isinstance(prices, VoteFeedSettings):
        raise TypeError(f"{section.feed} has no prices of its own")
    rules = (
        _listed(connections.of_prices(prices), section)
        if isinstance(prices, CcxtFeed)
        else RECORDINGS[prices.data].rules
    )
    return PaperBook(
        name=section.venue,
        feed=_own(feed) if isinstance(settings.feeds[section.feed], VoteFeedSettings) else feed,
        journal=book,
        capital=section.capital,
        rules=rules,
        costs=venue.costs(),
        cash=isinstance(prices, CcxtFeed) and prices.market is Market.SPOT,
        reread=_reread(connections.of_prices(prices)) if isinstance(prices, CcxtFeed) else None,
    )


def _own(feed: Feed) -> Feed:
    """Of a feed that votes, the source in whose bars paper fills."""
    from trading.venues.vote import VoteFeed

    return feed.own if isinstance(feed, VoteFeed) else feed


def _reread(connection: Connection) -> Callable[[], Awaitable[None]]:
    return connection.markets.reread


def _listed(real: Connection, section: TraderSection) -> Mapping[Symbol, MarketRules]:
    from trading.venues.ccxt.listed import ListedRules

    return ListedRules(real, section.symbols)


def place_of(settings: Settings, section: TraderSection) -> str:
    """Where real orders of a live trader go, as in `binance swap`; empty for the others."""
    venue = settings.venues[section.venue]
    live = section.mode is Mode.LIVE and isinstance(venue, CcxtVenueSettings)
    return venue.place if live and isinstance(venue, CcxtVenueSettings) else ""


def cycle_every(section: TraderSection, feed: Feed) -> timedelta:
    """Wall time between the closes of two candles."""
    return section.bar if feed.speed is None else section.bar / feed.speed


def strategy_of(settings: Settings, name: str) -> Strategy:
    """The strategy of trader *name*.  Raises `SettingsError` for parameters it does not take."""
    section = settings.traders[name]
    try:
        return strategy(section.strategy, section.parameters)
    except ValueError as error:
        raise _mistake(settings, name, "parameters", error) from None


def exit_rules_of(section: TraderSection) -> ExitRules:
    exits = section.exits
    return ExitRules(
        time_limit=exits.time_limit,
        trail_r=exits.trail_r,
        partials=tuple(
            PartialRule(
                share=partial.share,
                at_r=partial.at_r,
                at_share=None if partial.at_percent is None else partial.at_percent / 100,
            )
            for partial in exits.partials
        ),
        break_even=exits.break_even,
        stop_limit_gap=exits.stop_limit_gap,
    )


def _market(section: object) -> object:
    """None, of what is on no exchange, is nobody's market."""
    return (section.exchange, section.market) if isinstance(section, ExchangeSettings) else None


def _mistake(settings: Settings, name: str, key: str, error: ValueError) -> SettingsError:
    return SettingsError([settings.mistake("traders", name, key, why=str(error))])
