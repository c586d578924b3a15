"""What the documents say is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handlers import load_commands
from tests.architecture.source import ROOT, name

DOCUMENTS = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
FILE_PATH = re.compile(r"(?<![\w/.-])((?:bench|chatbot|handlers|storage|trading)/[\w/.-]*\w)")
MADE = {"bench/latest.json"}
"""What `make` writes, and nobody commits."""
TEST_PATH = re.compile(r"(?<![\w/])(tests/[\w/.-]*\w)(?:::(\w+))?")


def test_docs_list_every_command() -> None:
    from handlers.commands.help import as_markdown

    assert (ROOT / "docs/commands.md").read_text("utf-8") == as_markdown(load_commands())


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_newcomer_finds_the_usual_pages(document: str) -> None:
    assert (ROOT / document).read_text("utf-8").strip()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    missing = [
        "::".join(filter(None, (path, function)))
        for path, function in TEST_PATH.findall(document.read_text("utf-8"))
        if not is_there(ROOT / path, function)
    ]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_file_of_ours_that_a_document_names_exists(document: Path) -> None:
    named = set(FILE_PATH.findall(document.read_text("utf-8"))) - MADE
    assert [each for each in sorted(named) if not (ROOT / each).exists()] == []


def test_each_promise_of_safety_names_the_function_that_proves_it() -> None:
    told = (ROOT / "docs/safety.md").read_text("utf-8").splitlines()
    rows = [line for line in told if line.startswith("| ") and not line.startswith("| promise |")]
    assert len(rows) > 200
    assert [row for row in rows if not any(name for _, name in TEST_PATH.findall(row))] == []


def is_there(path: Path, function: str) -> bool:
    if not path.exists():
        return False
    return not function or f"def {function}(" in path.read_text("utf-8")
