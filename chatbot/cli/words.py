"""What `say` and `stop` share: exit codes, how they print, and which folder is meant."""

from __future__ import annotations

import argparse
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import Any

from chatbot.folder.state import StateFolder, locate
from trading.common.text import clean


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    """Refused, or something broke."""
    USAGE = 2
    NOBODY = 3
    CONFIRM = 4
    """Nothing was done yet: a confirmation is asked for."""


def complain(sentence: str, code: Exit) -> Exit:
    sys.stderr.write(f"{clean(sentence)}\n")
    return code


def show(text: str) -> None:
    """Print *text*: whoever wrote it, it tells this terminal nothing but words."""
    sys.stdout.write(f"{clean(text)}\n")
    sys.stdout.flush()


def bare(answer: dict[str, Any]) -> str:
    return "\n".join(str(answer[part]) for part in ("title", "text") if answer.get(part))


def folder_of(asked: argparse.Namespace) -> StateFolder:
    """Raises `Refused` when there are no settings to ask for it."""
    return StateFolder(asked.state.absolute() if asked.state else locate(asked.config, os.environ))


def parser_of(name: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"quarterdeck {name}", description=what, allow_abbrev=False)
    parser.add_argument(
        "--config", type=Path, default=Path("bot.toml"), help="the settings (default ./bot.toml)"
    )
    parser.add_argument("--state", type=Path, help="the state folder itself, without settings")
    return parser
