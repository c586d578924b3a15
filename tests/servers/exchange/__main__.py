"""The venue as a process: `python -m tests.servers.exchange --exchange bybit --market swap`.

Prints one line of JSON when it listens ({"url", "ws_url", "control"}) and ends when its standard
input is closed, so that it never outlives the test that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from aiohttp import web

from tests.servers.exchange.control import Control
from tests.servers.exchange.server import HOST, ExchangeServer
from tests.servers.exchange.wires import WIRES


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.servers.exchange")
    parser.add_argument("--exchange", choices=sorted(WIRES), default="binance")
    parser.add_argument("--market", choices=("spot", "swap"), default="spot")
    parser.add_argument("--symbols", default="BTC,ETH", help="bases, by comma")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    asyncio.run(serve(parser.parse_args()))


async def serve(options: argparse.Namespace) -> None:
    symbols = options.symbols.split(",")
    async with ExchangeServer(
        exchange=options.exchange, market=options.market, symbols=symbols, port=options.port
    ) as venue:
        control = web.Server(Control(venue).serve)
        listening = await asyncio.get_running_loop().create_server(
            control, HOST, options.control_port
        )
        port = listening.sockets[0].getsockname()[1]
        told = {"url": venue.url, "ws_url": venue.ws_url, "control": f"http://{HOST}:{port}"}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        listening.close()
        await control.shutdown(0.01)


if __name__ == "__main__":
    main()
