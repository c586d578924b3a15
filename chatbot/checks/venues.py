"""`quarterdeck check` on exchanges: reached, in time with us, permitted, and trading our symbols.

Asks only what changes nothing there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from chatbot.checks.finding import Finding, Looked, Verdict
from chatbot.settings import TraderSection
from chatbot.settings.trading import CcxtFeed, CcxtVenueSettings, ExchangeSettings
from chatbot.wiring.connections import Connections
from chatbot.wiring.proven import proof_for
from chatbot.wiring.trading import account_of, feed_of, own_prices, prices_of
from handlers.format import listed, plural
from trading.errors import VenueError
from trading.types import Mode
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.listed import ListedRules

LONGEST = 3.0
"""Times the within with one answer, for all that is asked of one exchange."""
SKEW, MUCH_SKEW = 1.0, 5.0
"""Seconds between the machine's clock and the exchange's: worth saying, and too much for orders."""
WITHDRAWS = "withdraw"
"""Names the permission that does no harm by itself."""


def real_feed(
    looked: Looked, name: str, feed_name: str, section: CcxtFeed, what: str
) -> Iterator[Finding]:
    """The rows of the exchange that trader *name* takes its prices, or some of them, from."""
    yield from _bounded(looked, what, section, _feed(looked, name, feed_name, section, what))


def real_venue(looked: Looked, name: str, section: CcxtVenueSettings) -> Iterator[Finding]:
    """The rows of the account that trader *name* trades on."""
    what = f"venue of {name}"
    if looked.settings.traders[name].mode is Mode.LIVE:
        yield _proven(looked, looked.settings.traders[name].venue, section, f"{what}: proof")
    yield from _bounded(looked, what, section, _venue(looked, name, section, what))


def _proven(looked: Looked, venue: str, section: CcxtVenueSettings, what: str) -> Finding:
    proof = proof_for(section, looked.state)
    todo = f"quarterdeck prove {venue}"
    if proof is not None:
        return Finding(what, Verdict.OK, f"{section.place}, {proof.words}")
    if section.accept_unproven:
        return Finding(what, Verdict.LOOK, f"{section.place} is not proven, and accepted", todo)
    todo += f", or accept_unproven = true in [venues.{venue}]: without, no start"
    return Finding(what, Verdict.FAULT, f"{section.place} is not proven", todo)


def _bounded(
    looked: Looked, what: str, section: ExchangeSettings, asking: AsyncIterator[Finding]
) -> list[Finding]:
    """What was found in time; an exchange that hangs is a finding, too."""
    found: list[Finding] = []

    async def in_time() -> None:
        async with asyncio.timeout(looked.within * LONGEST):
            async for finding in asking:
                found.append(finding)  # noqa: PERF401  # what was found before the time was up stays

    try:
        asyncio.run(in_time())
    except VenueError as error:
        todo = "look at the network, at url, and at the exchange's status page"
        found.append(Finding(what, Verdict.FAULT, f"{section.place}: {error}", todo))
    except TimeoutError:
        said = f"{section.place} does not answer in {looked.within * LONGEST:.0f} s"
        found.append(Finding(what, Verdict.FAULT, said, "look at the network, then check again"))
    return found


async def _feed(
    looked: Looked, name: str, feed_name: str, section: CcxtFeed, what: str
) -> AsyncIterator[Finding]:
    trader = looked.settings.traders[name]
    connections = Connections(looked.settings, looked.clock)
    feed = prices_of(looked.settings, name, feed_name, looked.clock, connections)
    connection = connections.of_prices(section)
    asker = object()
    try:
        await connection.open(asker)
        missing = _missing(trader, connection)
        if missing and feed_name != own_prices(looked.settings, trader):
            said = f"{section.place} has no prices of {listed(missing)}"
            yield Finding(what, Verdict.LOOK, said, "there one source less has a vote")
        elif missing:
            said = f"{listed(missing)} not traded on {section.place}"
            yield Finding(what, Verdict.FAULT, said, f"take them out of [traders.{name}] symbols")
            return
        await feed.closes(feed.first_cursor)
        bars = feed.candles(feed.first_cursor, 1_000_000).bars
        said = f"{section.place}, {_symbols(trader)}, {bars} bars of warm-up"
        yield Finding(what, Verdict.OK, said)
    finally:
        await feed.close()
        await connection.close(asker)


async def _venue(
    looked: Looked, name: str, section: CcxtVenueSettings, what: str
) -> AsyncIterator[Finding]:
    settings = looked.settings
    connections = Connections(settings, looked.clock)
    connection = connections.of_account(section)
    feed = feed_of(settings, name, looked.clock, connections)
    account = account_of(settings, name, section, feed, clock=looked.clock, connections=connections)
    asker = object()
    try:
        await connection.open(asker)
        yield await _clocks(looked, what, connection)
        for finding in _permitted(what, section, await account.examine()):
            yield finding
        for fact, told in connection.account.facts.items():
            yield Finding(f"{what}: {fact}", Verdict.OK, told)
        for finding in _sizes(settings.traders[name], name, connection):
            yield finding
    finally:
        await connection.close(asker)


async def _clocks(looked: Looked, what: str, connection: Connection) -> Finding:
    if not connection.ccxt.has.get("fetchTime"):
        said = f"{connection.row.exchange} does not tell its time"
        return Finding(f"{what}: clock", Verdict.LOOK, said, "see that the machine's clock is set")
    asked = looked.clock.now()
    millis = await connection.ask(connection.ccxt.fetch_time, about="time")
    answered = looked.clock.now()
    theirs = datetime.fromtimestamp(int(millis) / 1000, tz=UTC)
    ours = asked + (answered - asked) / 2
    apart = (ours - theirs).total_seconds()
    said = f"our clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} the exchange's"
    todo = "set the machine's clock: timedatectl set-ntp true"
    if abs(apart) >= MUCH_SKEW:
        return Finding(f"{what}: clock", Verdict.FAULT, said, todo)
    if abs(apart) >= SKEW:
        return Finding(f"{what}: clock", Verdict.LOOK, said, todo)
    return Finding(f"{what}: clock", Verdict.OK, "agrees with the exchange's")


def _permitted(
    what: str, section: CcxtVenueSettings, sentences: Sequence[str]
) -> Iterator[Finding]:
    for sentence in sentences:
        verdict = Verdict.LOOK if WITHDRAWS in sentence else Verdict.FAULT
        todo = f"{section.offer.row.guide} tells what a key needs"
        yield Finding(what, verdict, sentence.rstrip("."), todo)
    if all(WITHDRAWS in sentence for sentence in sentences):
        may = "reads only" if section.read_only else "may trade"
        yield Finding(what, Verdict.OK, f"{section.place}, {may}")


def _sizes(trader: TraderSection, name: str, connection: Connection) -> Iterator[Finding]:
    """Whether the largest position that risk allows is more than the least that can be traded."""
    rules = ListedRules(connection, trader.symbols)
    largest: Decimal = trader.capital * trader.limits.build().max_position
    too_small = [str(s) for s in rules if rules[s].min_notional > largest]
    what = f"sizes of {name}"
    if too_small:
        said = f"{listed(too_small)}: the least order is above {largest:f}, the largest position"
        todo = f"raise capital or max_position in [traders.{name}], or take them out"
        yield Finding(what, Verdict.LOOK, said, todo)
    else:
        yield Finding(what, Verdict.OK, f"{plural(len(rules), 'symbol')} within lot and notional")
    if trader.mode is not Mode.LIVE:
        yield Finding(what, Verdict.OK, f"{trader.mode.value}: no real order is sent")


def _symbols(trader: TraderSection) -> str:
    others = "" if trader.universe is None else " and what surveys find"
    return f"{plural(len(trader.symbols), 'symbol')}{others}"


def _missing(trader: TraderSection, connection: Connection) -> list[str]:
    traded = set(ListedRules(connection, trader.symbols))
    return [str(symbol) for symbol in trader.symbols if symbol not in traded]
