"""Who may import whom.  Arrows point down; siblings do not see each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, bindings, each, files, imports, name, top

MAY_IMPORT: dict[str, set[str]] = {
    "trading": set(),
    "storage": {"trading"},
    "handlers": {"trading"},
    "chatbot": {"trading", "storage", "handlers"},
}
OURS = {*PACKAGES, "tests", "bench"}

PURE = ("trading/risk", "trading/strategies", "trading/model/plan.py", "trading/types")
OUTSIDE = {"asyncio", "io", "os", "pathlib", "random", "secrets", "socket", "subprocess", "time"}


@each(files(*PACKAGES))
def test_imports_point_down(path: Path) -> None:
    package = top(name(path).replace("/", "."))
    ours = {top(module) for module in imports(path)} & OURS
    assert ours - {package} <= MAY_IMPORT[package]


@each(p for p in files("trading") if name(p).startswith(PURE))
def test_what_decides_touches_nothing_outside(path: Path) -> None:
    assert not {top(module) for module in imports(path)} & OUTSIDE


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_its_types(package: str) -> None:
    (first, *_) = files(package)
    assert (first.parent / "py.typed").exists()


def test_a_line_is_read_in_one_place() -> None:
    """Where it comes in (`handlers.message.read`), and nobody reads it again on its way.

    The brake reads for itself, as it waits for nothing; the others read what stands on buttons.
    """
    readers = {name(p) for p in files(*PACKAGES) if "handlers.line.split" in bindings(p).values()}
    assert readers == {
        "handlers/message.py",
        "handlers/confirmations.py",
        "chatbot/frontends/control/face.py",
        "chatbot/render/embed.py",
    }
