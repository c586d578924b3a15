"""The entry point.  `say` and `stop` leave before anything heavy is imported."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a folder may be any bytes
    try:
        code = _main(sys.argv[1:])
    except BrokenPipeError:  # `quarterdeck say /help | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _main(arguments: list[str]) -> int:
    match arguments:
        case ["say", *rest]:
            from chatbot.cli.say import say

            return say(rest)
        case ["stop", *rest]:
            from chatbot.cli.brake import stop

            return stop(rest)
        case _:
            from chatbot.cli.program import app

            app(prog_name="quarterdeck")  # leaves by SystemExit
            return 0


if __name__ == "__main__":
    main()
