"""What several alerts have in common: buttons, and how the place of an event is named."""

from __future__ import annotations

from handlers.reply import Choice
from handlers.texts.phrases import whom
from trading import events
from trading.model.halt import EVERYONE

POSITIONS, STATUS = Choice("Positions", "/positions"), Choice("Status", "/status")
STOP, FLATTEN = Choice("Stop", "/stop"), Choice("Flatten", "/flatten")
ORDERS, HALTS = Choice("Orders", "/orders"), Choice("Halts", "/halts")
TRADES, RESUME = Choice("Trades", "/trades"), Choice("Resume", "/resume")
RISK, UNIVERSE = Choice("Risk", "/risk"), Choice("Universe", "/universe")


def place(event: events.TraderEvent) -> str:
    name = "all traders" if event.trader == EVERYONE else event.trader
    return whom(name, event.mode)
