"""Walk forward: choose on each window, measure on the one after it, tell how far to trust it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean

from trading.optimize.folds import WalkFold
from trading.optimize.luck import SURE, Moments, deflated_sharpe
from trading.optimize.measure import FEWEST_TRADES, Course, Measured, Metric
from trading.optimize.spaces import Dimension, Space, Value
from trading.optimize.study import Score, Studies, Study

FALLS_APART = 0.5
"""Of the Sharpe ratio in sample; less is left out of it: what was found does not last."""
WANDERS = 0.5
"""Of its range; a setting that moves further from fold to fold was not found, but drawn."""

Measuring = Callable[[Mapping[str, Value], datetime, datetime], Measured | None]
"""Trades by settings from one moment to another; None where they contradict each other."""
OnTried = Callable[[WalkFold, int, float | None], None]
"""Hears of each try: how many there are now, and the best so far."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is looked for, and where."""

    name: str
    """Of the study."""
    space: Space
    own: Mapping[str, object]
    """The trader's values of what is tuned, where it has any: they are tried first."""
    folds: tuple[WalkFold, ...]
    metric: Metric
    trials: int
    """Of each fold."""
    seed: int | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    """What two studies must agree on in order to be one, besides what stands here."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The same settings in sample and out of it."""

    inside: Measured
    outside: Measured


@dataclass(frozen=True, kw_only=True)
class Walked:
    """One fold: what was chosen in sample, and what became of it."""

    fold: WalkFold
    tries: int
    """Sets of settings that were measured."""
    values: Mapping[str, Value]
    chosen: Sides
    shipped: Sides
    deflated: float | None
    """Probability that the best in sample is not luck, 0..1; None where it cannot be told."""


@dataclass(frozen=True, kw_only=True)
class WalkReport:
    """All folds that were walked."""

    plan: Plan
    folds: tuple[Walked, ...]

    @property
    def chosen(self) -> Course:
        """The windows out of sample, one after the other, each with its own settings."""
        return Course.joined([each.chosen.outside.traded for each in self.folds])

    @property
    def shipped(self) -> Course:
        return Course.joined([each.shipped.outside.traded for each in self.folds])

    @property
    def held(self) -> Course:
        return Course.joined([each.chosen.outside.held for each in self.folds])

    @property
    def inside(self) -> float:
        """The Sharpe ratio in sample, the mean of all folds, per year; 0 where there is none."""
        return fmean(each.chosen.inside.traded.score(Metric.SHARPE) for each in self.folds)

    @property
    def values(self) -> Mapping[str, Value]:
        """Of the last fold: the newest there are."""
        return self.folds[-1].values

    def wandered(self, dimension: Dimension) -> float:
        """How far a setting moves from fold to fold, as a share of its range."""
        found = [float(each.values[dimension.name]) for each in self.folds]
        return (max(found) - min(found)) / (dimension.high - dimension.low)

    def doubts(self) -> list[str]:
        """Reasons not to trust what was found, as sentences; empty: none was seen."""
        return [*self._of_luck(), *self._of_lasting(), *self._of_settings()]

    def _of_luck(self) -> list[str]:
        lucky = [each for each in self.folds if each.deflated is None or each.deflated < SURE]
        if not lucky:
            return []
        where = f"in {len(lucky)} of {len(self.folds)} folds"
        why = f"so many tries reach as much by chance (deflated Sharpe ratio below {SURE:.2f})"
        return [f"The best is likely luck {where}: {why}"]

    def _of_lasting(self) -> list[str]:
        found = []
        outside = self.chosen.score(Metric.SHARPE)
        if outside < FALLS_APART * self.inside:
            found.append(
                f"It does not last: a Sharpe ratio of {self.inside:.2f} in sample became "
                f"{outside:.2f} out of it"
            )
        if self.chosen.growth <= 0:
            found.append("Out of sample it lost money")
        for other, name in ((self.shipped, "the settings as they are"), (self.held, "holding")):
            if self.chosen.growth < other.growth:
                found.append(f"Out of sample it made less than {name}")
        few = sum(len(each.chosen.outside.traded.trips) < FEWEST_TRADES for each in self.folds)
        if few:
            found.append(f"{few} of {len(self.folds)} folds have too few trades to tell anything")
        return found

    def _of_settings(self) -> list[str]:
        wide = [d.name for d in self.plan.space.dimensions if self.wandered(d) > WANDERS]
        if not wide or len(self.folds) == 1:
            return []
        return [f"No value of {', '.join(wide)} stands out: it moved over half of its range"]


class Walk:
    """The search, and the report of what it has found so far."""

    def __init__(
        self, plan: Plan, measure: Measuring, studies: Studies, *, worker: int = 0
    ) -> None:
        """*worker* tells those apart that draw from the same seed.  Raises as `Studies.study`."""
        self._plan = plan
        self._measure = measure
        self._studies = [
            studies.study(
                f"{plan.name}, fold {fold.number}",
                plan.space.dimensions,
                about=self._about(fold),
                seed=None if plan.seed is None else plan.seed + 1_000 * worker + fold.number,
            )
            for fold in plan.folds
        ]

    def search(self, told: OnTried) -> None:
        """Try until each fold has had its trials, whoever else tries, too.

        Raises `ValueError` if no settings of a fold agree with each other.
        """
        for fold, study in zip(self._plan.folds, self._studies, strict=True):
            if all(each.holds(self._plan.own.get(each.name)) for each in self._tuned):
                study.suggest_first(self._plan.own)
            while (many := study.count()) < self._plan.trials:
                study.once(lambda values, fold=fold: self._score(values, fold))  # type: ignore[misc]  # its default is the fold
                best = study.best()
                told(fold, many + 1, None if best is None else best.score.value)
            if study.best() is None:
                raise ValueError(f"No settings of fold {fold.number} agree with each other")

    def report(self) -> WalkReport | None:
        """Measure out of sample what was chosen; None while no fold has anything to choose from."""
        found = [self._walked(f, s) for f, s in zip(self._plan.folds, self._studies, strict=True)]
        walked = tuple(each for each in found if each is not None)
        return WalkReport(plan=self._plan, folds=walked) if walked else None

    @property
    def _tuned(self) -> tuple[Dimension, ...]:
        return self._plan.space.dimensions

    def _settled(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        return {**self._plan.space.fixed, **values}

    def _about(self, fold: WalkFold) -> Mapping[str, object]:
        return {
            **self._plan.about,
            "metric": self._plan.metric,
            "window": [fold.begin.isoformat(), fold.cut.isoformat()],
            "fixed": dict(self._plan.space.fixed),
            "space": [[d.name, d.low, d.high, d.step] for d in self._tuned],
        }

    def _score(self, values: Mapping[str, Value], fold: WalkFold) -> Score | None:
        measured = self._measure(self._settled(values), fold.begin, fold.cut)
        if measured is None:
            return None
        sharpe = Moments.of(measured.traded.daily).sharpe
        return Score(value=measured.traded.score(self._plan.metric), sharpe=sharpe)

    def _walked(self, fold: WalkFold, study: Study) -> Walked | None:
        tried, best = study.tried(), study.best()
        if best is None:
            return None
        chosen = self._sides(self._settled(best.values), fold)
        sharpes = [each.score.sharpe for each in tried]
        return Walked(
            fold=fold,
            tries=len(tried),
            values=best.values,
            chosen=chosen,
            shipped=self._sides({}, fold),
            deflated=deflated_sharpe(Moments.of(chosen.inside.traded.daily), sharpes),
        )

    def _sides(self, values: Mapping[str, Value], fold: WalkFold) -> Sides:
        inside = self._measure(values, fold.begin, fold.cut)
        outside = self._measure(values, fold.cut, fold.end)
        if inside is None or outside is None:
            raise ValueError(f"The settings of fold {fold.number} contradict each other")
        return Sides(inside=inside, outside=outside)
