"""`python -m bench [NAME ...]`: measure, print a table, write bench/latest.json.

With `peers` alone: beside freqtrade and smartmoneyconcepts, which `make bench-peers` installs.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from time import perf_counter

from bench import latest, machine, readme
from bench.figures import Figure, Measured, table

SUBJECTS = (
    "start", "say", "memory", "signals", "status", "chats", "stop", "crowd", "venue", "stats",
    "ledger", "lag", "analysis", "scan", "candles", "universe", "backtest", "shipped", "history",
)  # fmt: skip
"""Modules here with a `measure() -> list[Figure]`."""
PEERS = "peers"


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in {*SUBJECTS, PEERS}]
    if unknown:
        print(f"No benchmark {unknown[0]}. There are: {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    began, (load, _, _) = perf_counter(), os.getloadavg()
    before = machine.speed()
    print(f"On {machine.name()}; load {load:.1f}\nbefore: {before}", flush=True)
    figures, broken = _measured(names or SUBJECTS)
    print(table(figures))
    after = machine.speed()
    told = f"{machine.name()}; before: {before}; after: {after}"
    verdicts = [figure.verdict for figure in figures]
    print(
        f"\nafter: {after}\n{verdicts.count('met')} met, {verdicts.count('MISSED')} missed; "
        f"{perf_counter() - began:.0f} s"
    )
    if broken:
        print(f"Broken, not measured: {', '.join(broken)}")
    latest.write(told, figures, (*SUBJECTS, PEERS))
    print(f"\nFor the README (make bench-readme writes all that was ever measured):\n\n"
          f"{readme.rows(figures)}")  # fmt: skip
    return 1 if broken else 0


def _measured(names: Sequence[str]) -> tuple[list[Measured], list[str]]:
    """What was measured, each held against its goal at the speed of its time; and what broke."""
    figures: list[Measured] = []
    broken: list[str] = []
    loop = machine.loop()
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr)
        found: list[Figure] = []
        try:
            found = importlib.import_module(f"bench.{name}").measure()
        except Exception:  # noqa: BLE001  # the others are still worth their time
            traceback.print_exc()
            broken.append(name)
        before, loop = loop, machine.loop()
        figures += [figure.on((before + loop) / 2, name) for figure in found]
    return figures, broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
