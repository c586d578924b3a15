"""What can be said to the desk.  Any module of `commands/` that defines a `Command` is found."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handlers.command import Commands


def load_commands() -> Commands:
    from handlers import commands
    from handlers.command import Commands

    found = pkgutil.iter_modules(commands.__path__, f"{commands.__name__}.")
    names = [module.name for module in found]
    return Commands.found_in(map(importlib.import_module, names))
