"""Studies: which settings were tried on a fold, and what came of them.  The one home of Optuna.

Each fold is a study of its own, so that no choice is led by what came after it; for the same reason
nothing is ended early by what other folds say.  Within a fold nothing is ended early either: the
luck of the best is judged by how all tries spread.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from trading.optimize.spaces import Dimension, Value

HEARTBEAT = 20
"""Seconds between two signs of life of a try; without one for twice as long it is tried again."""
TRIES = 3
"""Of the same settings, where processes die over them."""
RACES = 20
"""Times that the tables are looked for again while another process makes them."""
_RACED = {"IntegrityError", "ProgrammingError"}
WAIT = 60.0
"""Seconds for which SQLite waits while another process writes."""
_FOREIGN = {"optuna", "sqlalchemy", "psycopg", "alembic", "sqlite3"}
_OF, _SHARPE = "of", "sharpe"
_POSTGRES = ("postgresql://", "postgres://")

Try = Callable[[Mapping[str, Value]], "Score | None"]
"""Measures settings; None where they contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    value: float
    """What is to be large."""
    sharpe: float
    """Of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    values: Mapping[str, Value]
    score: Score


class OtherStudy(ValueError):
    """A study of that name is about something else."""


class Studies:
    """Where the studies of all folds are kept: in a database that many may share, or in memory."""

    def __init__(self, url: str = "", *, heartbeat: int = HEARTBEAT) -> None:
        """Raises `ValueError`, a sentence, if *url* cannot be opened."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._url = url
        self._storage: optuna.storages.BaseStorage = optuna.storages.InMemoryStorage()
        if url:
            with self._told():
                self._storage = _database(url, heartbeat)

    def study(
        self,
        name: str,
        dimensions: tuple[Dimension, ...],
        *,
        about: Mapping[str, object],
        seed: int | None,
    ) -> Study:
        """Begin the study of that name, or join it.

        *about* is what it is about, as plain values.  Raises `OtherStudy` if one of that name is
        about something else, and `ValueError` as above.
        """
        with self._told():
            found = optuna.create_study(
                storage=self._storage,
                sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=bool(self._url)),
                study_name=name,
                direction="maximize",
                load_if_exists=True,
            )
            said = json.dumps(about, sort_keys=True)
            if found.user_attrs.get(_OF) is None:
                found.set_user_attr(_OF, said)
            if found.user_attrs[_OF] != said:
                raise OtherStudy(
                    f"The study {name} is there, and was made with other data, settings or ranges. "
                    "Choose another --study"
                )
        return Study(found, dimensions, self._told)

    def close(self) -> None:
        """Let go of the database."""
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the database says, in a sentence without its password."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # the heartbeat
            try:
                yield
            except ImportError as error:
                raise ValueError(f"The storage needs a driver that is missing: {error}") from None
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in _FOREIGN:
                    raise
                first = masked(str(error), self._url).partition("\n")[0]
                raise ValueError(f"The storage failed ({type(error).__name__}): {first}") from None


class Study:
    """The tries of one fold."""

    def __init__(
        self,
        study: optuna.Study,
        dimensions: tuple[Dimension, ...],
        told: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._study = study
        self._dimensions = dimensions
        self._told = told

    def suggest_first(self, values: Mapping[str, object]) -> None:
        """Let these be among the first that are tried."""
        with self._told():
            self._study.enqueue_trial(dict(values), skip_if_exists=True)

    def once(self, measure: Try) -> None:
        """Try one set of settings.  Before it, what a dead process left is taken up again."""

        def objective(trial: optuna.Trial) -> float:
            score = measure({each.name: _suggested(trial, each) for each in self._dimensions})
            if score is None:
                raise optuna.TrialPruned
            trial.set_user_attr(_SHARPE, score.sharpe)
            return score.value

        with self._told():
            self._study.optimize(objective, n_trials=1)

    def count(self) -> int:
        """Tries that have ended, contradictory settings included."""
        with self._told():
            states = (TrialState.COMPLETE, TrialState.PRUNED)
            return len(self._study.get_trials(deepcopy=False, states=states))

    def tried(self) -> list[Tried]:
        """What was measured, each set of settings once; in the order in which it was begun."""
        with self._told():
            trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        found: dict[tuple[object, ...], Tried] = {}
        for trial in trials:
            values = {each.name: each.value(trial.params[each.name]) for each in self._dimensions}
            found.setdefault(tuple(values.values()), Tried(values=values, score=_score(trial)))
        return list(found.values())

    def best(self) -> Tried | None:
        """The first of those that reached the most; None if nothing was measured."""
        return max(self.tried(), key=lambda tried: tried.score.value, default=None)


def masked(text: str, url: str) -> str:
    """Return *text* without the password of *url*."""
    password = urlsplit(url).password
    for secret in (url, password, unquote(password or "")):
        if secret:
            text = text.replace(secret, "***")
    return text


def _database(url: str, heartbeat: int) -> RDBStorage:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        options = {"connect_args": {"timeout": WAIT}}
    for prefix in _POSTGRES:
        if url.startswith(prefix):
            url = f"postgresql+psycopg://{url.removeprefix(prefix)}"
    made = partial(
        RDBStorage,
        url,
        engine_kwargs=options,
        heartbeat_interval=heartbeat,
        grace_period=2 * heartbeat,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=TRIES),
    )
    for _ in range(RACES):
        try:
            return made()
        except Exception as error:  # what it raises is its driver's
            if type(error).__name__ not in _RACED:
                raise
    return made()


def _suggested(trial: optuna.Trial, of: Dimension) -> Value:
    if of.kind is bool:
        return bool(trial.suggest_categorical(of.name, [False, True]))
    if of.kind is int:
        return trial.suggest_int(of.name, int(of.low), int(of.high), step=int(of.step))
    return of.value(trial.suggest_float(of.name, of.low, of.high, step=of.step))


def _score(trial: FrozenTrial) -> Score:
    return Score(value=float(trial.value or 0.0), sharpe=float(trial.user_attrs[_SHARPE]))
