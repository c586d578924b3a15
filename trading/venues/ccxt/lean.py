"""Import one exchange of ccxt instead of its hundred: its packages import all of them at once.

The packages are stood in for while the one is imported, and then taken away again: whoever imports
ccxt as a whole afterwards gets it as a whole.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
_ONE_AT_A_TIME = threading.Lock()


def exchange_class(name: str) -> Any:
    """ccxt's class of *name* with streams.  Raises `ImportError` for an exchange it has not."""
    with _ONE_AT_A_TIME:
        if "ccxt.pro" in sys.modules:
            return getattr(sys.modules["ccxt.pro"], name)
        with _stand_ins() as packages:
            _fill(packages["ccxt"], "ccxt.base.errors", "ccxt.base.exchange")
            plain = importlib.import_module(f"ccxt.async_support.{name}")
            setattr(packages["ccxt.async_support"], name, getattr(plain, name))
            streams = importlib.import_module(f"ccxt.pro.{name}")
        return getattr(streams, name)


@contextmanager
def _stand_ins() -> Iterator[dict[str, ModuleType]]:
    """Packages that import nothing by themselves; those that are there already stay."""
    found = importlib.util.find_spec("ccxt")
    if found is None or found.origin is None:
        raise ImportError("ccxt is not installed")
    home = Path(found.origin).parent
    ours = {name: _package(name, home) for name in _PACKAGES if name not in sys.modules}
    sys.modules.update(ours)
    packages = {name: sys.modules[name] for name in _PACKAGES}
    packages["ccxt"].async_support = packages["ccxt.async_support"]  # type: ignore[attr-defined]
    try:
        yield packages
    finally:
        for name in ours:
            sys.modules.pop(name, None)


def _package(name: str, home: Path) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [str(home.joinpath(*name.split(".")[1:]))]
    return package


def _fill(package: ModuleType, *names: str) -> None:
    """What ccxt's own files expect to find in the package itself."""
    for name in names:
        found = vars(importlib.import_module(name))
        vars(package).update({key: value for key, value in found.items() if key[:2] != "__"})
