"""Shared by all tests."""

from __future__ import annotations

from hypothesis import settings

# A deadline would be a timed assertion: it fails on a busy machine, not on wrong code.
# Random examples would fail on a change that did not cause it: the soak has those.
settings.register_profile("quarterdeck", deadline=None, derandomize=True)
settings.load_profile("quarterdeck")
