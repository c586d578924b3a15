"""A venue in a process of its own, and the test's hand on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.servers.exchange.refusals import Refusal
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]


class ExchangeProcess:
    """`with ExchangeProcess(market="swap") as venue: venue.engine("trade_through", "BTCUSDT", 1)`.

    `tell` sends any command of control.py; what the engine refuses is raised as `Refusal`.
    """

    def __init__(
        self,
        *,
        exchange: str = "binance",
        market: str = "spot",
        symbols: Sequence[str] = ("BTC", "ETH"),
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._symbols = symbols
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.ws_url = ""
        self._control = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.servers.exchange", "--exchange", self._exchange]
        self._process = subprocess.Popen(
            [*command, "--market", self._market, "--symbols", ",".join(self._symbols)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.url, self.ws_url, self._control = told["url"], told["ws_url"], told["control"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.communicate()

    def engine(self, call: str, *args: Any, **kwargs: Any) -> Any:
        """Decimals go as text, a `Wish` as a dict of its fields."""
        return self.tell("engine", call=call, args=args, kwargs=kwargs)

    def tell(self, command: str, **what: Any) -> Any:
        connection = HTTPConnection(urlsplit(self._control).netloc, timeout=PATIENCE)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/{command}", json.dumps(what), headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise Refusal(answer["error"])
        return answer["answer"]
