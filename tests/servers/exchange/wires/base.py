"""What an exchange's wire is: everything of its protocol, and nothing of anybody's account.

`Wire` turns requests into what the engine does and what it did into answers; README.md beside this
file is the recipe.  The engine knows symbols as base and quote ("BTCUSDT") and quantities in base
units; a wire has the exchange's own names (`market_id`) and contracts (`Rules.contract`).
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from tests.servers.exchange.access import ApiKey
from tests.servers.exchange.connections import Connection
from tests.servers.exchange.faults import FaultPlan, Plight, Refuse
from tests.servers.exchange.figures import Candle
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.rules import Rules
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Told

Json = Any
Hidden = Callable[[str], bool]
LOOKS = frozenset({"find", "open", "history", "trades"})
"""Purposes of requests that do not see what `FaultPlan.hide` hides."""


class Said(Exception):
    """A refusal in the exchange's own words; `status` is the HTTP status, often 200.

    `headers` are added to those of the answer.
    """

    def __init__(
        self,
        code: int | str,
        text: str,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came.  `path` is without the real host, which is `host`; `text` is the body.

    `params` are those of the query, of a form or JSON body, and of the path, as they came: values
    of a JSON body keep their types.
    """

    method: str
    host: str
    path: str
    query: str
    text: str
    headers: Mapping[str, str]
    params: Mapping[str, Any]

    @property
    def body(self) -> Json:
        """The JSON of the body; {} without one."""
        return json.loads(self.text) if self.text else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` in place of `body` for what is not JSON."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None

    def response(self) -> web.Response:
        if self.text is not None:
            return web.Response(status=self.status, text=self.text, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as a path's function sees it: who asks, parameters with types, what is hidden.

    What is missing or malformed is a `Refusal` (`Why.MALFORMED`), with its name.
    """

    params: Mapping[str, Any]
    key: ApiKey | None
    hidden: Hidden

    def text(self, name: str, default: str = "") -> str:
        value = self.params.get(name)
        return default if value is None or value == "" else str(value)

    def required(self, name: str) -> str:
        text = self.text(name)
        if not text:
            raise Refusal(Why.MALFORMED, name)
        return text

    def decimal(self, name: str) -> Decimal:
        """0 without one; never negative."""
        try:
            value = Decimal(self.text(name, "0"))
        except InvalidOperation:
            raise Refusal(Why.MALFORMED, name) from None
        if not value.is_finite() or value < 0:
            raise Refusal(Why.MALFORMED, name)
        return value

    def integer(self, name: str, default: int = 0) -> int:
        text = self.text(name)
        if text and not text.lstrip("-").isdigit():
            raise Refusal(Why.MALFORMED, name)
        return int(text) if text else default

    def flag(self, name: str) -> bool:
        return self.text(name).lower() == "true"


@dataclass(frozen=True, slots=True)
class Route:
    """A path's function, and what it asks for.

    `security`: `NONE`, or what the wire's `admit` makes of it.  `purpose`: a word that is the same
    for all exchanges, for faults and counts: place, cancel, find, open, history, trades, balance,
    positions, candles, rules.
    """

    answer: Callable[[Any], Json]
    security: str = "none"
    purpose: str = ""
    weight: int = 1


NONE, READ, TRADE = "none", "read", "trade"


class Routes:
    """By method and path; `{name}` in a path stands for one part of it, and becomes a parameter."""

    def __init__(self, routes: Mapping[tuple[str, str], Route]) -> None:
        self._plain = {key: route for key, route in routes.items() if "{" not in key[1]}
        self._patterns = [
            (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), route)
            for (method, path), route in routes.items()
            if "{" in path
        ]

    def __getitem__(self, key: tuple[str, str]) -> Route:
        return self._plain[key]

    def __setitem__(self, key: tuple[str, str], route: Route) -> None:
        self._plain[key] = route

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        """The route, and the parameters in the path."""
        plain = self._plain.get((method, path))
        if plain:
            return plain, {}
        for of, pattern, route in self._patterns:
            found = pattern.fullmatch(path) if of == method else None
            if found:
                return route, found.groupdict()
        return None, {}


class Later:
    """What is acknowledged before it is done: asynchronous cancels.

    Done right after the answer has left, in order; or, while it is held, on `release`.
    """

    def __init__(self) -> None:
        self._held = False
        self._waiting: list[Callable[[], None]] = []

    def do(self, act: Callable[[], None]) -> None:
        if self._held:
            self._waiting.append(act)
        else:
            asyncio.get_running_loop().call_soon(act)

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            act()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a wire works on; `engine` is a `SpotEngine` or a `SwapEngine`, as `market` says."""

    market: str
    engine: Any
    faults: FaultPlan
    keys: Mapping[str, ApiKey]
    klines: Mapping[tuple[str, str], list[Candle]]
    """What tests have set, by the engine's symbol and the common word for the interval ("1h")."""
    connections: list[Connection] = field(default_factory=list)
    later: Later = field(default_factory=Later)


class Wire(ABC):
    """One exchange's protocol for one market ("spot" or "swap")."""

    exchange: ClassVar[str]
    plights: ClassVar[Mapping[str, Refuse]]
    """How the exchange words each `Plight`."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.engine = site.engine
        self.market = site.market
        self.routes = self.make_routes()
        self.limited = True
        """Whether anything may be too much, see `count`."""
        site.engine.listen(self._heard)
        site.faults.deliver_by(self.push)

    # --- markets ---

    @staticmethod
    @abstractmethod
    def rules(market: str, base: str) -> Rules:
        """What a symbol of this exchange accepts."""

    @classmethod
    def new_engine(cls, market: str, rules: list[Rules], clock: Any) -> SpotEngine | SwapEngine:
        """With 10,000 of the quote (and 1 of each base on spot)."""
        if market == "spot":
            balances = {rules[0].quote: "10000"} | {rule.base: "1" for rule in rules}
            return SpotEngine(rules=rules, clock=clock, balances=balances)
        return SwapEngine(rules=rules, clock=clock, wallet=10_000)

    def market_id(self, symbol: str) -> str:
        """The exchange's name for an engine's symbol."""
        return symbol

    def symbol_of(self, market_id: str) -> str:
        """Refused unless there is such a market."""
        for symbol in self.engine.listed:
            if self.market_id(symbol) == market_id:
                return str(symbol)
        raise Refusal(Why.UNKNOWN_SYMBOL, market_id)

    def contracts(self, symbol: str, quantity: Decimal) -> Decimal:
        rules: Rules = self.engine.rules[symbol]
        return quantity / rules.contract

    def coins(self, symbol: str, contracts: Decimal) -> Decimal:
        rules: Rules = self.engine.rules[symbol]
        return contracts * rules.contract

    # --- requests ---

    @abstractmethod
    def make_routes(self) -> Routes:
        """Every path that is answered."""

    @abstractmethod
    def admit(self, asked: Asked, security: str) -> ApiKey | None:
        """Check key, signature and time; raises `Said`, None where nothing is asked for."""

    @abstractmethod
    def worded(self, why: Refusal) -> Said:
        """A refusal of the engine's, or of a missing parameter, in the exchange's words."""

    @abstractmethod
    def error(self, said: Said) -> Json:
        """The body of an answer that says no."""

    @abstractmethod
    def no_such_path(self) -> Said:
        """To a path that is not there."""

    def success(self, body: Json) -> Json:
        """The envelope of an answer."""
        return body

    def count(self, asked: Asked, route: Route) -> dict[str, str]:
        """Count a request; raises `Said` when it is too many.  Returns the headers that tell."""
        return {}

    def key_of(self, headers: Mapping[str, str]) -> str:
        """Which API key a request names."""
        return ""

    def ask(self, asked: Asked, key: ApiKey | None, hidden: Hidden) -> Any:
        """What a path's function is handed."""
        return Ask(params=asked.params, key=key, hidden=hidden)

    def act(self, asked: Asked) -> Answer:
        """Carry a request out, all in one step."""
        self.engine.tick()
        headers: dict[str, str] = {}
        try:
            route, _ = self.routes.find(asked.method, asked.path)
            if route is None:
                raise self.no_such_path()
            if self.limited:
                headers = self.count(asked, route)
            key = self.admit(asked, route.security)
            hidden = self.site.faults.hidden() if route.purpose in LOOKS else _nothing
            return Answer(200, self.success(route.answer(self.ask(asked, key, hidden))), headers)
        except Said as said:
            return self.refused(said, headers)
        except Refusal as why:
            return self.refused(self.worded(why), headers)

    def refused(self, said: Said, headers: Mapping[str, str]) -> Answer:
        """The answer to what was refused, by the wire or by the engine."""
        return self.rendered(said, {**headers, **said.headers})

    def rendered(self, said: Said, headers: Mapping[str, str]) -> Answer:
        """An answer that says no."""
        return Answer(said.status, self.error(said), headers)

    def planned(self, refuse: Refuse | Plight) -> Answer:
        """The answer of a fault."""
        words = refuse if isinstance(refuse, Refuse) else self.plights[refuse.name]
        after = words.retry_after if refuse.retry_after is None else refuse.retry_after
        headers = {} if after is None else {"Retry-After": str(after)}
        return Answer(words.status, self.error(Said(words.code, words.text, words.status)), headers)

    def read(self, content_type: str, query: str, text: str) -> dict[str, Any]:
        """The parameters of a request, its path's left out; of a list its first entry's, and all
        of it as `batch`."""
        params: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
        if "json" in content_type and text:
            body = json.loads(text)
            return params | (body if isinstance(body, dict) else _first(body) | {"batch": body})
        return params | dict(parse_qsl(text, keep_blank_values=True))

    # --- streams ---

    def connection(self, request: web.BaseRequest, path: str) -> Connection:
        """A socket that has been opened, before it is greeted."""
        return Connection(socket=web.WebSocketResponse(), transport=request.transport, path=path)

    @abstractmethod
    def greet(self, connection: Connection, query: Mapping[str, str]) -> None:
        """What is said, or subscribed to, by opening alone."""

    @abstractmethod
    def listen(self, connection: Connection, message: str) -> None:
        """A client's message; answer by `connection.send`."""

    @abstractmethod
    def user_events(self, told: Told) -> Iterable[Json]:
        """What the owner is pushed about it; each goes through the fault plan to `push`."""

    @abstractmethod
    def event_names(self, event: Json) -> Collection[str]:
        """What a user event is called, for `FaultPlan.on_event`: the exchange's word, and a word
        that is the same for all: order, stop, trade, position, balance."""

    @abstractmethod
    def push(self, event: Json) -> None:
        """Send a user event to the connections that asked for it."""

    @abstractmethod
    def publish(self, told: Told) -> None:
        """Send what everybody may see of it."""

    @abstractmethod
    def beat(self) -> None:
        """What comes even when nothing happens."""

    def _heard(self, told: Told) -> None:
        for event in self.user_events(told):
            for shaped in self.site.faults.shaped(event):
                self.push(shaped)
        self.publish(told)

    # --- clients ---

    @staticmethod
    def secret_of(key: ApiKey) -> str:
        """As the exchange tells it to its owner."""
        return key.secret

    @classmethod
    def aim(cls, exchange: Any, server: Any, key: ApiKey) -> None:
        """Point a ccxt exchange at *server*, with *key*."""
        for part in ("api", "test", "demo"):
            if exchange.urls.get(part):
                exchange.urls[part] = aimed(exchange.urls[part], server)
        exchange.apiKey, exchange.secret = key.key, cls.secret_of(key)
        if exchange.requiredCredentials.get("password"):
            exchange.password = key.passphrase
        exchange.enableRateLimit = False
        exchange.timeout_on_exit = 0
        exchange.options["fetchCurrencies"] = False
        exchange.has["fetchCurrencies"] = False


def aimed(urls: Any, server: Any) -> Any:
    """Each URL on *server*; the real host stays in front of the path, because ccxt looks at it."""
    if isinstance(urls, dict):
        return {name: aimed(url, server) for name, url in urls.items()}
    parts = urlsplit(urls)
    base = server.ws_url if parts.scheme.startswith("ws") else server.url
    return f"{base}/{parts.netloc}{parts.path}"


def _nothing(_client_id: str) -> bool:
    return False


def _first(batch: Any) -> dict[str, Any]:
    return batch[0] if batch and isinstance(batch[0], dict) else {}
