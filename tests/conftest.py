"""Shared by all tests."""

from __future__ import annotations

import os
import sys

# A desk that a test starts, and each worker, would compile all of its libraries anew: two thirds of
# what a start costs.  Here, so that it is so before anything large is imported and before anything
# is started, however the tests are run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from hypothesis import settings  # noqa: E402  # it is large

from tests.loops import STEADY, Loops  # noqa: E402

# A deadline would be a timed assertion: it fails on a busy machine, not on wrong code.
# Random examples would fail on a change that did not cause it: the soak has those.
settings.register_profile("quarterdeck", deadline=None, derandomize=True)
settings.load_profile("quarterdeck")


def pytest_asyncio_loop_factories() -> Loops:
    return STEADY
