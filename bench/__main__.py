"""`python -m bench [NAME ...]`: measure, print a table, write bench/latest.json."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench import (
    analysis,
    backtest,
    chats,
    crowd,
    history,
    lag,
    ledger,
    memory,
    say,
    scan,
    signals,
    start,
    stats,
    status,
    stop,
    universe,
    venue,
)
from bench.figures import Figure, table

SUBJECTS = {
    "start": start.measure,
    "say": say.measure,
    "memory": memory.measure,
    "signals": signals.measure,
    "status": status.measure,
    "chats": chats.measure,
    "stop": stop.measure,
    "crowd": crowd.measure,
    "venue": venue.measure,
    "stats": stats.measure,
    "ledger": ledger.measure,
    "lag": lag.measure,
    "analysis": analysis.measure,
    "scan": scan.measure,
    "universe": universe.measure,
    "backtest": backtest.measure,
    "history": history.measure,
}
LATEST = Path(__file__).with_name("latest.json")


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in SUBJECTS]
    if unknown:
        print(f"No benchmark {unknown[0]}. There are: {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    began, (busy, _, _) = perf_counter(), os.getloadavg()
    figures: list[Figure] = []
    broken: list[str] = []
    for name in names or SUBJECTS:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            figures += SUBJECTS[name]()
        except Exception:  # noqa: BLE001  # the others are still worth their time
            traceback.print_exc()
            broken.append(name)
    print(table(figures))
    verdicts = [figure.met for figure in figures]
    print(
        f"\n{verdicts.count(True)} met, {verdicts.count(False)} missed; "
        f"{perf_counter() - began:.0f} s, on {os.cpu_count()} cores; load before: {busy:.1f}"
    )
    if broken:
        print(f"Broken, not measured: {', '.join(broken)}")
    LATEST.write_text(json.dumps([_json(figure) for figure in figures], indent=1) + "\n")
    return 1 if broken else 0


def _json(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "value": None if figure.value is None else round(figure.value, 4),
        "unit": figure.unit,
        "goal": figure.goal,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
