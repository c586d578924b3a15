"""As many schedules as one likes: `make soak N=10000 ARGS="-k schedules"`.

Each is a story of its own, longer than those of `make test`.  QUARTERDECK_SEED=7 tells the same
ones again; without it they are new each time, and a failure prints what reproduces it.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.test_venue_machine import USUAL, Commanding

ROUNDS = int(os.environ.get("QUARTERDECK_SOAK", "30"))


@pytest.mark.soak
def test_schedules_of_faults_and_crashes_keep_every_promise() -> None:
    run_state_machine_as_test(
        Commanding,
        settings=settings(
            USUAL,
            max_examples=ROUNDS,
            stateful_step_count=50,
            derandomize=False,
            database=None,
        ),
    )
