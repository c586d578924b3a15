"""Every fact is either announced or deliberately silent; none is forgotten."""

from __future__ import annotations

import pytest

from trading import events
from trading.events import Event

# Not Event.__subclasses__(): dataclass(slots=True) leaves ghost classes behind there.
KINDS = [v for v in vars(events).values() if isinstance(v, type) and issubclass(v, Event)]
CONCRETE = [k for k in KINDS if not any(k is not other and issubclass(other, k) for other in KINDS)]


@pytest.mark.parametrize("kind", CONCRETE)
def test_every_event_is_either_announced_or_deliberately_silent(kind: type[Event]) -> None:
    from handlers.alerts import SILENT, describe

    announced = describe.dispatch(kind) is not describe.dispatch(Event)
    assert announced != (kind in SILENT)


def test_only_facts_that_occur_are_listed_as_silent() -> None:
    from handlers.alerts import SILENT

    assert set(CONCRETE) >= SILENT
