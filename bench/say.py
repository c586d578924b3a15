"""`quarterdeck say` as a whole process: what a script or a person waits for."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, median
from bench.process import quarterdeck, running

ROUNDS = 15


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as desk:
        desk.ready()
        times = [_say(desk.state) for _ in range(ROUNDS + 1)][1:]
    return [
        Figure(
            name="quarterdeck say /version", value=median(times), unit="s", goal=0.3, headline=True
        )
    ]


def _say(state: Path) -> float:
    began = perf_counter()
    subprocess.run(
        quarterdeck("say", "/version", "--state", state), stdout=subprocess.DEVNULL, check=True
    )
    return perf_counter() - began
