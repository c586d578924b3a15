"""From sections of the settings to the parts of a trader."""

from __future__ import annotations

from chatbot.settings import Settings
from chatbot.settings import Trader as TraderSection
from trading.clocks import Clock
from trading.errors import SettingsError
from trading.execution.exit_rules import ExitRules, PartialRule
from trading.market.rules import BINANCE_PERPETUALS_2021
from trading.ports import Journal
from trading.strategies import strategy
from trading.strategies.base import Strategy
from trading.venues.paper import PaperVenue
from trading.venues.replay import ReplayFeed


def feed_of(settings: Settings, name: str, clock: Clock) -> ReplayFeed:
    """The feed of trader *name*.  Raises `SettingsError` for a symbol it does not have."""
    section = settings.traders[name]
    try:
        return ReplayFeed(
            name=section.feed,
            clock=clock,
            speed=float(settings.feeds[section.feed].speed),
            symbols=section.symbols,
        )
    except ValueError as error:
        raise _mistake(settings, name, "symbols", error) from None


def venue_of(
    settings: Settings, section: TraderSection, feed: ReplayFeed, book: Journal
) -> PaperVenue:
    costs = settings.venues[section.venue]
    return PaperVenue(
        name=section.venue,
        feed=feed,
        journal=book,
        capital=section.capital,
        rules=BINANCE_PERPETUALS_2021,
        slippage=costs.slippage,
        commission=costs.commission,
        commission_per_unit=costs.commission_per_unit,
        participation=costs.participation,
    )


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
    )


def _mistake(settings: Settings, name: str, key: str, error: ValueError) -> SettingsError:
    return SettingsError([settings.mistake("traders", name, key, why=str(error))])
