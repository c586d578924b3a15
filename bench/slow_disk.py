"""The edge of the world, faked: a disk on which every fsync takes 5 ms longer."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MILLISECONDS = 5


@contextmanager
def slowed() -> Iterator[tuple[dict[str, str], str]]:
    """Yield what to add to a child's environment, or why that cannot be had."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield {}, "skipped: there is no C compiler"
        return
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "slow_disk.so"
        source = Path(__file__).with_name("slow_disk.c")
        done = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        if done.returncode:
            yield {}, f"skipped: {(done.stderr or 'the compiler failed').splitlines()[0]}"
            return
        yield {"LD_PRELOAD": str(library), "BENCH_FSYNC_MS": str(MILLISECONDS)}, ""
