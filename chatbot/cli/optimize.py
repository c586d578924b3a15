"""`quarterdeck optimize`: look for settings of a trader's strategy, walked forward over a file."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

from chatbot.cli.backtest import BacktestArguments, made
from chatbot.settings import Settings, load
from chatbot.settings import TraderSection as Section
from chatbot.wiring.trading import exit_rules_of
from trading.backtest.asked import Backtest
from trading.backtest.feed import moment
from trading.optimize.folds import WalkFold, Windows, folds
from trading.optimize.measure import Measure, Metric
from trading.optimize.spaces import Space, Value, space
from trading.optimize.study import Studies
from trading.optimize.walk import Plan, Walk, WalkReport
from trading.strategies import settings_in_use, strategy

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the command line said."""

    history: BacktestArguments
    trials: int = 50
    """Of each fold."""
    count: int = 4
    windows: Windows = Windows.ROLLING
    jobs: int = 1
    metric: Metric = Metric.SHARPE
    seed: int | None = None
    storage: str = field(default="", repr=False)
    """May hold a password."""
    study: str = ""
    """Empty: the trader's name."""
    spaces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BestParameters:
    """What came of it."""

    report: WalkReport
    stopped: bool
    """Somebody ended it early: there are fewer tries than were asked for."""


def optimize(config: Path, search: Search, say: Say) -> BestParameters:
    """Search, then measure.  Ctrl-C ends the search early; what was found until then is told.

    Raises `SettingsError`, or `ValueError` with a sentence for the operator.
    """
    with ExitStack() as stack:
        if search.jobs > 1 and not search.storage:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            search = replace(search, storage=f"sqlite:///{folder}/study.db")
        studies = stack.enter_context(Studies(search.storage))
        walk = walk_of(load(config, os.environ), search, studies)
        beside = _beside(config, search)
        try:
            walk.search(lambda fold, many, best: say(_progress(search, fold, many, best)))
            stopped = False
        except KeyboardInterrupt:
            stopped = True
            say("Stopped: measuring what was found. Ctrl-C again ends at once.")
        finally:
            _end(beside)
        report = walk.report()
    if report is None:
        raise ValueError("It was stopped before a single try had ended")
    return BestParameters(report=report, stopped=stopped)


def walk_of(settings: Settings, search: Search, studies: Studies, *, worker: int = 0) -> Walk:
    """Make the search; its candles are read here, once.  Raises as `optimize`."""
    test = made(settings, search.history)
    section = settings.traders[search.history.trader]
    where = space(section.strategy, search.spaces)
    plan = Plan(
        name=search.study or search.history.trader,
        space=where,
        own=_own(section, where),
        folds=_folds(test, section, where, search),
        metric=search.metric,
        trials=search.trials,
        seed=search.seed,
        about={"data": _fingerprint(test), "strategy": test.strategy.name},
    )
    measure = Measure(lambda values: changed(test, section, values))
    return Walk(plan, measure, studies, worker=worker)


def changed(test: Backtest, section: Section, values: Mapping[str, Value]) -> Backtest:
    """Return *test* with other settings.  Raises `ValueError` where they make no sense."""
    own: dict[str, Any] = {key: v for key, v in values.items() if "." not in key}
    parameters = {**section.parameters, **own}
    section = _with_trader(section, values)
    return replace(
        test,
        strategy=strategy(section.strategy, parameters),
        trader=replace(
            test.trader,
            parameters=settings_in_use(section.strategy, parameters),
            limits=section.limits.build(),
            exit_rules=exit_rules_of(section),
        ),
    )


def _with_trader(section: Section, values: Mapping[str, Value]) -> Section:
    """The section with other `exits.KEY` and `limits.KEY`, checked as if they stood there."""
    parts: dict[str, dict[str, Value]] = {"exits": {}, "limits": {}}
    for name, value in values.items():
        part, dot, key = name.partition(".")
        if dot:
            parts[part][key] = value
    checked = {}
    for part, new in parts.items():
        old = getattr(section, part)
        checked[part] = type(old).model_validate({**old.model_dump(), **new}) if new else old
    return section.model_copy(update=checked)


def _own(section: Section, where: Space) -> Mapping[str, object]:
    values = settings_in_use(section.strategy, section.parameters)
    found: dict[str, object] = {}
    for each in where.dimensions:
        part, dot, key = each.name.partition(".")
        value = getattr(getattr(section, part), key, None) if dot else values.get(part)
        if isinstance(value, bool | int):
            found[each.name] = value
        elif value is not None:
            with suppress(TypeError, ValueError):
                found[each.name] = float(value)  # type: ignore[arg-type]  # a number, or it raises
    return found


def _folds(test: Backtest, section: Section, where: Space, search: Search) -> tuple[WalkFold, ...]:
    """Over the asked span; without one from where the slowest settings are warm."""
    times = test.candles.times
    ends = ({d.name: d.value(getattr(d, end)) for d in where.dimensions} for end in ("low", "high"))
    warm = 0
    for values in ({}, *ends):
        try:
            made_ = changed(test, section, {**where.fixed, **values})
        except ValueError as error:
            if values == {}:
                raise
            raise ValueError(f"The ranges go beyond what makes sense: {error}") from None
        warm = max(warm, made_.strategy.warmup)
    first = min(warm, len(times) - 1)
    begin = test.begin or moment(int(times[first]))
    end: datetime = min(test.end or moment(int(times[-1])), moment(int(times[-1])))
    return folds(begin, end, count=search.count, windows=search.windows, zone=test.trader.zone)


def _fingerprint(test: Backtest) -> str:
    """What two studies must agree on: the candles, the trader but for its parameters, the costs."""
    candles = test.candles
    found = hashlib.sha256()
    for panel in (candles.times, candles.open, candles.high, candles.low, candles.close):
        found.update(panel.tobytes())
    found.update(candles.volume.tobytes())
    trader = replace(test.trader, parameters={})
    found.update(repr((trader, test.costs, test.lift)).encode())
    return found.hexdigest()


def _progress(search: Search, fold: WalkFold, many: int, best: float | None) -> str:
    told = "nothing yet" if best is None else f"best {search.metric} {best:.2f} in sample"
    return f"Fold {fold.number} of {search.count}: {many} of {search.trials} tries, {told}"


# -- processes beside this one ----------------------------------------------------------------


def _beside(config: Path, search: Search) -> list[SpawnProcess]:
    """Processes that take part in the same studies; this one works, too."""
    context = multiprocessing.get_context("spawn")
    started = []
    for worker in range(1, search.jobs):
        process = context.Process(target=_work, args=(config, search, worker), daemon=True)
        process.start()
        started.append(process)
    return started


def _work(config: Path, search: Search, worker: int) -> None:
    signal.signal(signal.SIGINT, _interrupted)
    with suppress(KeyboardInterrupt), Studies(search.storage) as studies:
        walk = walk_of(load(config, os.environ), search, studies, worker=worker)
        walk.search(lambda fold, many, best: None)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Once: the try that is under way is given back; a second signal must not disturb that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(beside: Sequence[SpawnProcess]) -> None:
    """Those that still work are interrupted; whoever does not end is killed."""
    for process in beside:
        if process.is_alive() and process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
    for process in beside:
        process.join(LONGEST)
        if process.is_alive():
            process.kill()
            process.join()


LONGEST = 10.0
"""Seconds that a process may take to give its try back."""
