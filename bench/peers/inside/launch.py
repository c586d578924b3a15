"""Start freqtrade as its command line does, its Telegram on an address of ours.

Run by the peers' interpreter: `python launch.py TELEGRAM_URL|- ARGUMENT ...`.  freqtrade has no
setting for where the Bot API is; the library that it uses has one, and its default is moved.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main(url: str, arguments: list[str]) -> None:
    if url != "-":
        _aim_telegram(url)
    importlib.import_module("freqtrade.main").main(arguments)


def _aim_telegram(url: str) -> None:
    """*url*: up to and with `/bot`, as the library has it."""
    builder = importlib.import_module("telegram.ext").ApplicationBuilder
    plain = builder.token

    def token(self: Any, secret: str) -> Any:
        return plain(self, secret).base_url(url)

    builder.token = token


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
