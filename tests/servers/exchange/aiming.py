"""Point a ccxt exchange at the venue."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.servers.exchange.access import OWNER, ApiKey
from tests.servers.exchange.server import ExchangeServer

SPOT_ONLY = {
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
}


def aim(exchange: Any, server: ExchangeServer, key: ApiKey = OWNER) -> Any:
    """Rewrite every URL to the venue's and set the key; returns the same exchange.

    The real host stays in the path, because ccxt tells spot from futures by it.  ccxt also picks
    a market's error classes by the URL's beginning, which is put right here: so errors are of the
    same classes as with the real exchange.
    """
    real: dict[str, str] = {}
    for part in ("api", "test", "demo"):
        if part in exchange.urls:
            exchange.urls[part] = _aimed(exchange.urls[part], server, real)
    exchange.apiKey, exchange.secret = key.key, key.secret
    exchange.enableRateLimit = False
    exchange.timeout_on_exit = 0
    exchange.options["fetchCurrencies"] = False
    if server.market == "spot":
        exchange.options |= SPOT_ONLY
    classes_of = exchange.get_exceptions_by_url

    def get_exceptions_by_url(url: str, kind: str) -> Any:
        meant = next((there for here, there in real.items() if url.startswith(here)), url)
        return classes_of(meant, kind)

    exchange.get_exceptions_by_url = get_exceptions_by_url
    return exchange


def _aimed(urls: Any, server: ExchangeServer, real: dict[str, str]) -> Any:
    if isinstance(urls, dict):
        return {name: _aimed(url, server, real) for name, url in urls.items()}
    parts = urlsplit(urls)
    base = server.ws_url if parts.scheme.startswith("ws") else server.url
    here = f"{base}/{parts.netloc}"
    real[f"{here}/"] = f"{parts.scheme}://{parts.netloc}/"
    return f"{here}{parts.path}"
