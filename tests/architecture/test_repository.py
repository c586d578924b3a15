"""What is committed holds for every machine, not for the one it was made on."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.architecture.source import PACKAGES, ROOT

FOLDERS = (*PACKAGES, "tests", "bench", "docs", ".ci")
MACHINE_PATH = re.compile(r"(?<![\w./~}-])/(?:work|home|root|Users)/\.?\w")
INDEX_OPTION = re.compile(
    r"--(?:default-index|index|index-url|extra-index-url|find-links|trusted-host)\b"
)
REGISTRY = re.compile(r"https?://[\w.:@-]*(?:pypi|pythonhosted|artifactory|devpi|nexus)[\w.-]*")
CONFIGURED = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST",
    "UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
)  # fmt: skip


def listed() -> list[str]:
    """What is in the repository or about to be; without one, what lies in our folders."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", "-c", "-o", "--exclude-standard"],
            capture_output=True,
            check=False,
            text=True,
        )
    except OSError:
        return []
    return done.stdout.split("\0") if done.returncode == 0 else []


@cache
def texts() -> dict[str, str]:
    found = [ROOT / path for path in listed() if path]
    if not found:
        found = [*ROOT.glob("*"), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*"))]
    return dict(readable(path for path in sorted(found) if path.is_file()))


def readable(paths: Iterator[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        raw = path.read_bytes()
        if b"\0" not in raw and path != Path(__file__):
            yield path.relative_to(ROOT).as_posix(), raw.decode("utf-8", "replace")


def lines_with(pattern: re.Pattern[str], suffix: str = "") -> list[str]:
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts().items()
        if path.endswith(suffix)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def configured_hosts() -> set[str]:
    """The hosts from which this very machine installs, whatever they are."""
    values = (word for name in CONFIGURED for word in os.environ.get(name, "").split())
    return {host for value in values if (host := urlsplit(value).hostname)}


def test_there_is_something_to_look_at() -> None:
    assert "pyproject.toml" in texts()


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not lines_with(MACHINE_PATH)


def test_no_file_names_a_registry() -> None:
    assert not lines_with(REGISTRY)


def test_no_file_names_where_this_machine_installs_from() -> None:
    hosts = configured_hosts()
    if hosts:
        assert not lines_with(re.compile("|".join(map(re.escape, sorted(hosts)))))


def test_locks_name_no_index_and_hash_everything() -> None:
    assert not lines_with(INDEX_OPTION, ".lock")
    for path, text in texts().items():
        if path.endswith(".lock"):
            assert text.count("==") <= text.count("--hash=sha256:"), path


@pytest.mark.parametrize(
    "text", ["in /" + "work/bot/x", '"/home/me/bot"', "/Users/x/y", "=/root/.cfg"]
)
def test_the_rule_sees_machine_paths(text: str) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize(
    "text", ["frame/" + "work/x", "a network/home/b", "~/" + "work/x", "/workers/x"]
)
def test_the_rule_leaves_other_words_alone(text: str) -> None:
    assert not MACHINE_PATH.search(text)
