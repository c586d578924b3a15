"""How the desk does, in named values: what alert rules compare, and what metrics show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from chatbot.delivery.outbox import Outbox
from chatbot.watch.metrics import Metrics
from chatbot.watch.process import ProcessRate
from chatbot.watch.rules import Value
from handlers.texts.phrases import price_age
from trading.accounts.recorder import Recorder
from trading.accounts.views import View
from trading.clocks import Clock
from trading.desk import Desk
from trading.ports import FeedState
from trading.risk.drawdown import loss_share


class ChatHealthWatch:
    """Reads everything when asked; nothing here waits."""

    def __init__(
        self,
        *,
        desk: Desk,
        outbox: Outbox,
        recorder: Recorder,
        metrics: Metrics,
        clock: Clock,
        loop_lag: Callable[[], float],
        crashed: Callable[[], Iterable[str]],
        ping_ok: Callable[[], bool | None],
    ) -> None:
        """*crashed*: names of traders that are down; *ping_ok*: None where nothing is asked."""
        self._desk = desk
        self._outbox = outbox
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock
        self._loop_lag = loop_lag
        self._crashed = crashed
        self._ping_ok = ping_ok
        self._requests = ProcessRate(lambda: metrics.total("api_requests"), clock)
        self._errors = ProcessRate(lambda: metrics.total("api_errors"), clock)
        self._signals = ProcessRate(lambda: metrics.total("signals"), clock)

    def read(self) -> Mapping[str, Value]:
        """The value of every metric that a rule can name; unknown ones are None.

        Those of one trader stand under its name too, as in `majors.drawdown`.
        """
        views = [self._desk.views(name).view() for name in self._desk.traders]
        services = self._services(views)
        values = {
            **self._of_views(views),
            **self._of_process(),
            "chats_ok": _all(services, "chat"),
            "store_ok": services["store"],
            "ping_ok": self._ping_ok(),
        }
        self._show(values, services)
        for view in views:
            values |= {f"{view.name}.{name}": v for name, v in self._of_views([view]).items()}
        return values

    def services(self) -> Mapping[str, bool]:
        """Whether each service is well: `feed majors`, `venue majors`, `chat console`, `store`."""
        return self._services([self._desk.views(name).view() for name in self._desk.traders])

    def _services(self, views: Sequence[View]) -> dict[str, bool]:
        crashed = set(self._crashed())
        well = {f"feed {v.name}": v.feed is not FeedState.STALE for v in views}
        well |= {f"venue {v.name}": v.venue_silent is None for v in views}
        well |= {f"trader {v.name}": v.name not in crashed for v in views}
        chats = self._outbox.health()
        well |= {f"chat {name}": chat.failing_since is None for name, chat in chats.items()}
        well["store"] = self._recorder.unsaved == 0
        ping = self._ping_ok()
        return well if ping is None else well | {"ping": ping}

    def _of_views(self, views: Sequence[View]) -> dict[str, Value]:
        now = self._clock.now()
        cycles = [view.last_cycle for view in views]
        ages = [(now - c.at).total_seconds() for c in cycles if c is not None]
        venues = all(view.venue_silent is None for view in views)
        crashed = set(self._crashed())
        return {
            "feed_ok": all(view.feed is not FeedState.STALE for view in views),
            "venue_ok": venues,
            "exchange_active": venues,
            "traders_ok": not any(view.name in crashed for view in views),
            "halted": any(view.halts for view in views),
            "drawdown": _worst(v.drawdown for v in views),
            "day_loss": _worst(loss_share(v.equity, v.day_start) for v in views),
            "exposure": _exposure(views),
            "positions": Decimal(sum(len(v.holdings) for v in views)),
            "price_age": _worst(_seconds(v) for v in views),
            "scan_age": _worst(map(_decimal, ages)) if len(ages) == len(views) else None,
            "scan_seconds": _worst(_decimal(c.seconds) for c in cycles if c is not None),
        }

    def _of_process(self) -> dict[str, Value]:
        asked, failed = self._requests.grown(), self._errors.grown()
        return {
            "error_rate": _decimal(failed / asked if asked else 0.0),
            "signal_rate": _decimal(self._signals.per_second()),
            "loop_lag": _decimal(self._loop_lag()),
            "outbox_waiting": Decimal(self._outbox.waiting()),
            "history_waiting": Decimal(self._recorder.unsaved),
        }

    def _show(self, values: Mapping[str, Value], services: Mapping[str, bool]) -> None:
        for name, value in values.items():
            if isinstance(value, Decimal):
                self._metrics.gauge(name, float(value))
        self._metrics.health(services)


def _all(services: Mapping[str, bool], kind: str) -> bool:
    return all(well for name, well in services.items() if name.startswith(f"{kind} "))


def _worst(values: Iterable[Decimal | None]) -> Decimal | None:
    """The largest that is known; None without any."""
    return max((value for value in values if value is not None), default=None)


def _exposure(views: Sequence[View]) -> Decimal | None:
    known = [v.equity for v in views if v.equity is not None]
    equity = sum(known, Decimal(0))
    if len(known) < len(views) or equity <= 0:
        return None
    return sum((v.exposure for v in views), Decimal(0)) / equity


def _seconds(view: View) -> Decimal | None:
    """Age of the newest price as a person lives through it; an ended replay has none."""
    age = price_age(view)
    if age is None or view.feed is FeedState.ENDED:
        return None
    return _decimal(age.total_seconds())


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))
