"""Resident memory of the default desk, ten seconds after its start: it has traded by then."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter, sleep

from bench.figures import Figure
from bench.process import Running, running

AFTER = 10.0
GOAL = 120


def measure() -> list[Figure]:
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        running(Path(one)) as plain,
        running(Path(other), prompt=True) as at_a_prompt,
    ):
        return [
            Figure(
                name="resident memory after 10 s",
                value=_rss(plain), unit="MB", goal=GOAL, headline=True,
            ),
            Figure(
                name="resident memory after 10 s, with a prompt",
                value=_rss(at_a_prompt), unit="MB", goal=GOAL,
            ),
        ]  # fmt: skip


def _rss(desk: Running) -> float:
    desk.ready()
    sleep(max(0.0, desk.began + AFTER - perf_counter()))
    return desk.rss()
