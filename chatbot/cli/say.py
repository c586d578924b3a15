"""`quarterdeck say`: one line to the desk that runs.

Standard library only and few imports, so that an answer takes a blink.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from chatbot.cli.words import Exit, bare, complain, folder_of, parser_of, show
from chatbot.folder.calling import NoAnswer, NobodyThere, ask
from chatbot.folder.state import StateFolder
from trading.common.text import clean, cleaned
from trading.errors import Refused

_EXITS = {"done": Exit.DONE, "confirm": Exit.CONFIRM}


def say(arguments: Sequence[str]) -> int:
    """Say one line to the desk, print its answer, and return how it went as an exit code."""
    asked = _say_parser().parse_args(arguments)
    try:
        folder = folder_of(asked)
    except Refused as refusal:
        return complain(str(refusal), Exit.USAGE)
    try:
        answer = ask(folder.socket, clean(" ".join(asked.text)), timeout=asked.timeout)
    except NobodyThere:
        return complain(_nobody(folder), Exit.NOBODY)
    except NoAnswer as silence:
        return complain(
            f"The desk on {folder.path} did not answer. {silence}\n"
            "Ask again, or brake: quarterdeck stop",
            Exit.FAILED,
        )
    except Refused as refusal:
        return complain(str(refusal), Exit.FAILED)
    plain = answer.pop("plain", None) or bare(answer)
    show(json.dumps(cleaned(answer), ensure_ascii=False) if asked.json else str(plain))
    return _EXITS.get(answer.get("outcome", ""), Exit.FAILED)


def _nobody(folder: StateFolder) -> str:
    return (
        f"Nobody there: no desk answers on {folder.path}.\n"
        "Positions and the stops that rest on a venue stay as they are; nothing else is watched.\n"
        "Start it: quarterdeck run"
    )


def _say_parser() -> argparse.ArgumentParser:
    parser = parser_of("say", "Say one line to the desk that runs, as in: quarterdeck say /status")
    parser.add_argument("text", nargs="+", help='as in "/status" or "/close BTC 50%%"')
    parser.add_argument("--json", action="store_true", help="print the answer as one line of JSON")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds to wait (default 10)")
    parser.epilog = (
        "exit code: 0 done, 1 refused or failed, 2 wrong usage, 3 nobody there, "
        "4 a confirmation is needed"
    )
    return parser
