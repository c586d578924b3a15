"""The entry point.  `say` and `stop` leave before anything heavy is imported."""

from __future__ import annotations

import gc
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
    except MemoryError:
        sys.stderr.write("It needs more memory than there is. Nothing was changed.\n")
        code = 1
    except Exception as error:  # noqa: BLE001  # the last boundary: whoever typed sees a sentence
        sys.stderr.write(f"{_kept(error)}\n")
        code = 1
    sys.exit(code)


def _kept(error: Exception) -> str:
    """Where the details of what nobody expected are, in a sentence."""
    import tempfile
    import traceback

    said = f"It ended on an unexpected error ({type(error).__name__})"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="quarterdeck-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.writelines(traceback.format_exception(error))
    except OSError as failure:
        return f"{said}, and its details could not be kept: {failure}"
    return f"{said}. Its details are in {file.name}; they help whoever mends it"


def _main(arguments: list[str]) -> int:
    match arguments:
        case ["say", *rest]:
            from chatbot.cli.say import say

            return say(rest)
        case ["stop", *rest]:
            from chatbot.cli.brake import stop

            return stop(rest)
        case ["run", *_]:
            gc.disable()  # what is loaded now is no garbage: until `chatbot.watch.memory.loaded`
            from chatbot.app.signals import EndSignals

            signals = EndSignals()
            signals.listen()  # before the rest is loaded, which takes a while
            return _program(signals)
        case _:
            return _program(None)


def _program(signals: object) -> int:
    from chatbot.cli.program import app

    app(prog_name="quarterdeck", obj=signals)  # leaves by SystemExit
    return 0


if __name__ == "__main__":
    main()
