"""Shared by all tests."""

from __future__ import annotations

from hypothesis import settings

# A deadline would be a timed assertion: it fails on a busy machine, not on wrong code.
settings.register_profile("quarterdeck", deadline=None)
settings.load_profile("quarterdeck")
