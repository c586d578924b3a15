"""What can be said to the desk.  Any module here that defines a `Command` is found."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers.command import Commands


def load_commands() -> Commands:
    from handlers.command import Commands

    names = [module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")]
    return Commands.found_in(map(importlib.import_module, names))
