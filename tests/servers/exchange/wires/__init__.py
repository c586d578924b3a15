"""The exchanges whose protocols are spoken here, by name."""

from __future__ import annotations

from tests.servers.exchange.wires.base import Wire
from tests.servers.exchange.wires.binance.wire import BinanceWire
from tests.servers.exchange.wires.bybit.wire import BybitWire
from tests.servers.exchange.wires.gate.wire import GateWire
from tests.servers.exchange.wires.kraken.wire import KrakenWire
from tests.servers.exchange.wires.okx.wire import OkxWire

_EVERY = (BinanceWire, BybitWire, GateWire, KrakenWire, OkxWire)
WIRES: dict[str, type[Wire]] = {wire.exchange: wire for wire in _EVERY}
