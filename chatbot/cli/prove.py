"""`quarterdeck prove VENUE`: what the desk relies on there is done once, and the result is kept."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from chatbot.folder.proofs import Proof, keep_proof
from chatbot.folder.state import StateFolder
from chatbot.settings import Settings
from chatbot.settings.trading import CcxtVenueSettings
from chatbot.unique import unique_hex
from chatbot.wiring.connections import Connections
from chatbot.wiring.proven import market_of
from trading.clocks import Clock, SystemClock
from trading.errors import Refused, VenueRejected
from trading.execution.order_ids import OrderIds
from trading.ports import Venue
from trading.types import OrderReport, Symbol
from trading.venues.ccxt.weights import Budgets
from trading.venues.proving import TRADER, Proving

if TYPE_CHECKING:
    from trading.venues.ccxt.connection import Connection

HARMLESS = "withdraw"
"""Names the permission that does no harm to a proof."""


def venue_to_prove(settings: Settings, name: str) -> CcxtVenueSettings:
    """The section [venues.*name*].  Raises `Refused` where nothing can be proven."""
    section = settings.venues.get(name)
    if section is None:
        known = ", ".join(settings.venues)
        raise Refused(f"There is no [venues.{name}]; there is {known}. Nothing was sent.")
    if not isinstance(section, CcxtVenueSettings):
        raise Refused(f"{name} is no exchange: there is nothing to prove. Nothing was sent.")
    if section.read_only:
        raise Refused(
            f"[venues.{name}] is read_only, and a proof places orders: set read_only = false."
            " Nothing was sent."
        )
    return section


def question(section: CcxtVenueSettings, symbol: Symbol) -> str:
    """What is asked where the money is real; empty: it is not."""
    if section.sandbox:
        return ""
    return (
        f"This buys and sells the least of {symbol} on {section.place}, with REAL MONEY, two or"
        " three times. It costs fees and what the market moves meanwhile. Type yes to begin"
    )


def prove(
    settings: Settings, folder: StateFolder, name: str, symbol: Symbol, tell: Callable[[str], None]
) -> str:
    """Do all steps, and keep the proof in *folder*, which is held.  Returns why it failed."""
    return asyncio.run(_prove(settings, folder, name, symbol, tell))


async def _prove(
    settings: Settings, folder: StateFolder, name: str, symbol: Symbol, tell: Callable[[str], None]
) -> str:
    clock, section = SystemClock(), venue_to_prove(settings, name)
    begun = asyncio.current_task()
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, _end_once, begun)

    budgets = Budgets(clock=clock)

    async def connect() -> Venue:
        """Over a connection of its own: nothing is remembered but what was asked from here."""
        connections = Connections(settings, clock, budgets=budgets)
        return await _opened(connections.of_account(section), name, symbol, clock)

    proving = Proving(
        connect=connect,
        symbol=symbol,
        ids=OrderIds(unique_hex(2), unique_hex),
        clock=clock,
        tell=tell,
    )
    failed = await proving.run()
    if not failed:
        proof = Proof(
            of=market_of(section),
            at=clock.now(),
            sandbox=section.sandbox,
            steps=tuple(proving.steps),
        )
        keep_proof(folder.path, proof)
        tell(f"Proven: {section.place}, {proof.words}.")
    return failed


async def _opened(connection: Connection, name: str, symbol: Symbol, clock: Clock) -> Venue:
    """Raises `VenueError`; then nothing stays open."""
    from trading.venues.ccxt.venue import CcxtVenue

    venue = CcxtVenue(
        name=name,
        trader=TRADER,
        connection=connection,
        symbols=(symbol,),
        price=lambda _: None,  # whatever fees are worth, is no part of a proof
        read_only=False,
        clock=clock,
    )
    try:
        wrong = [said for said in await venue.examine() if HARMLESS not in said]
        if wrong:
            raise VenueRejected(" ".join(wrong).rstrip("."))
        await venue.open(_unheard)
    except BaseException:
        await venue.close()
        raise
    return venue


def _end_once(begun: asyncio.Task[object] | None) -> None:
    """The first signal ends it in order: what it has placed goes.  Others change nothing."""
    if begun is not None and not begun.cancelling():
        begun.cancel()


def _unheard(_: OrderReport) -> None:
    """Each step asks: what a stream tells is the same, sooner."""
