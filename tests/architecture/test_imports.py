"""What starting costs: each of these runs in an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

HEAVY = ("pandas", "polars")
OFF = (
    *("telegram", "discord", "aiohttp", "matplotlib", "pyotp"),  # chats and pictures
    *("ccxt", "talib", "pyarrow", "optuna"),  # exchanges, and what needs candles first
    *("rich", "apscheduler"),  # pictures of tracebacks; when cycles are due
    *("alembic", "psycopg", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"),
)
"""What a desk as shipped loads when it needs it, or never."""


def run(code: str, *flags: str, path: str = str(ROOT)) -> list[str]:
    """The modules that are loaded after *code*."""
    report = "import json, sys; print(json.dumps([n for n, m in sys.modules.items() if m]))"
    done = subprocess.run(
        [sys.executable, *flags, "-c", f"{code}\n{report}"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


@pytest.fixture
def with_data_frames(tmp_path: Path) -> str:
    """A path on which pandas and polars can be found, as TA-Lib would."""
    for library in HEAVY:
        (tmp_path / f"{library}.py").write_text("class Series: ...\n")
    return os.pathsep.join([str(ROOT), str(tmp_path)])


def test_the_trap_works(with_data_frames: str) -> None:
    assert {*HEAVY} <= {*run("import pandas, polars", path=with_data_frames)}


@pytest.mark.parametrize(
    "module", ["chatbot.__main__", "chatbot.wiring.build", "chatbot.cli.program"]
)
def test_the_desk_starts_without_data_frames(module: str, with_data_frames: str) -> None:
    assert not {*HEAVY} & {*run(f"import {module}", path=with_data_frames)}


def test_what_is_not_configured_is_not_loaded() -> None:
    assert not {*OFF} & {*run("import chatbot.app.start, chatbot.wiring.build, storage.store")}


def test_say_needs_nothing_but_python() -> None:
    """-S hides everything that is installed."""
    ours = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import chatbot.cli.say"
    loaded = {module.partition(".")[0] for module in run(ours, "-S", "-E", "-s")}
    assert loaded - sys.stdlib_module_names - {"__main__"} <= {*PACKAGES}
