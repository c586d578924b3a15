"""`python -m bench.readme`: write the table of README.md anew from bench/latest.json."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import latest
from bench.figures import Measured, number

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- make bench-readme: from here -->", "<!-- to here -->"
HEAD = "| what | measured | goal on that machine | measured is so much of it |\n|---|---|---|---|"


def main() -> int:
    found = latest.read()
    if not found.figures:
        print(f"There is nothing in {latest.LATEST}: make bench", file=sys.stderr)
        return 1
    try:
        README.write_text(with_table(README.read_text(), found))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def with_table(text: str, found: latest.Latest) -> str:
    """Return *text* with the table of *found* in its place.

    Raises `ValueError`, a sentence, where there is no such place, or several.
    """
    table = f"{BEGIN}\n{HEAD}\n{rows(found.figures)}\n\n{_machine(found)}\n{END}"
    made, places = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: table, text, flags=re.DOTALL
    )
    if places != 1:
        raise ValueError(f"README.md has {places} places for the table: {BEGIN} ... {END}")
    return made


def rows(figures: Sequence[Measured]) -> str:
    return "\n".join(map(_row, (figure for figure in figures if figure.headline)))


def _row(figure: Measured) -> str:
    share = "" if figure.share is None else f"{number(figure.share)} {figure.verdict.lower()}"
    return f"| {figure.name} | {figure.measured} | {figure.allowed} | {share} |"


def _machine(found: latest.Latest) -> str:
    loops = sorted(figure.loop for figure in found.figures if figure.headline)
    return (
        f"Measured on {found.machine}. While these were measured the loop took {loops[0]:.2f} to "
        f"{loops[-1]:.2f} s."
    )


if __name__ == "__main__":
    sys.exit(main())
