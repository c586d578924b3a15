"""Every foreign library has one home, so that it can be replaced there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, each, files, imports, name, top

HOMES: dict[str, tuple[str, ...]] = {
    # chats and faces
    "telegram": ("chatbot/frontends",),
    "discord": ("chatbot/frontends",),
    "prompt_toolkit": ("chatbot/frontends/console",),
    "aiohttp": ("chatbot/frontends", "chatbot/watch/ping.py", "trading/venues"),
    "matplotlib": ("chatbot/render/drawing.py",),
    # the process
    "apscheduler": ("chatbot/app/schedule.py",),
    "typer": ("chatbot",),
    "click": ("chatbot",),
    "pydantic": ("chatbot",),
    "pydantic_core": ("chatbot",),
    "pydantic_settings": ("chatbot",),
    "annotated_types": ("chatbot",),
    "structlog": ("chatbot/logs.py",),
    "prometheus_client": ("chatbot",),
    "pyotp": ("handlers",),
    # history; sqlite3 is Python's own, and yet a database
    "sqlalchemy": ("storage",),
    "aiosqlite": ("storage",),
    "alembic": ("storage",),
    "sqlite3": ("storage",),
    # markets
    "ccxt": ("trading/venues",),
    "tenacity": ("trading/venues", "trading/market"),
    "talib": ("trading/strategies", "trading/market"),
    "numpy": ("trading",),
    "pyarrow": ("trading/market",),
    "exchange_calendars": ("trading/market",),
    "optuna": ("trading/optimize/study.py",),
}
OURS = {*PACKAGES, "tests", "bench"}


def is_at_home(library: str, place: str) -> bool:
    return any(place == home or place.startswith(f"{home}/") for home in HOMES[library])


@each(files(*PACKAGES))
def test_each_library_stays_at_home(path: Path) -> None:
    used = {top(module) for module in imports(path)} & HOMES.keys()
    assert not [library for library in sorted(used) if not is_at_home(library, name(path))]


@each(files(*PACKAGES))
def test_no_library_comes_in_without_a_home(path: Path) -> None:
    used = {top(module) for module in imports(path)}
    assert not used - OURS - sys.stdlib_module_names - HOMES.keys(), "give it a home in HOMES"


def test_matplotlib_has_one_renderer() -> None:
    drawing = [name(p) for p in files(*PACKAGES) if "matplotlib" in map(top, imports(p))]
    assert len(drawing) <= 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_are_not_in_the_lock(library: str) -> None:
    lock = (Path(__file__).parents[2] / "requirements.lock").read_text("utf-8")
    assert not [line for line in lock.splitlines() if line.startswith(f"{library}==")]
