"""The command line: `quarterdeck run`, and in its help `say` and `stop`, which live in `say.py`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from chatbot import logs
from chatbot.app.signals import Cut, EndSignals
from chatbot.folder.state import StateFolder
from chatbot.logs import get_logger
from chatbot.settings import Settings, load
from trading.clocks import SystemClock
from trading.errors import SettingsError, TradingError
from trading.types import Symbol

FAILED, USAGE = 1, 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="See what is true on the trading desk, and stop it any time.",
)
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}


_NEEDS_OPTUNA = (
    "quarterdeck optimize needs Optuna, which is not installed: "
    ".venv/bin/uv pip install --python .venv/bin/python 'optuna>=4' 'psycopg[binary]>=3.2'"
)


def _print_version(asked: bool) -> None:  # noqa: FBT001  # typer's callback
    if asked:
        typer.echo(f"quarterdeck {version('quarterdeck')}")
        raise typer.Exit


@app.callback()
def quarterdeck(
    version: Annotated[  # noqa: FBT002  # an option of the command line
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Tell it.")
    ] = False,
) -> None:
    """Runs before every command; holds what belongs to none."""


@app.command()
def run(
    context: typer.Context,
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, help="Shut down after so many seconds.")
    ] = None,
    fresh: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--fresh", help="Set the old state folder aside; halts stay.")
    ] = False,
) -> None:
    """Run the desk until /shutdown, Ctrl-C, SIGTERM or SIGHUP."""
    signals = context.obj if isinstance(context.obj, EndSignals) else EndSignals()
    signals.listen()
    raise typer.Exit(_run(config, signals, seconds=seconds, fresh=fresh))


@app.command()
def check(
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
) -> None:
    """Look whether the desk could run here: exit 1 on any fault, each with what to do."""
    from chatbot.checks.desk import check as look
    from chatbot.checks.finding import Verdict

    found = look(config, os.environ, SystemClock())
    widths = (max(len(f.what) for f in found), max(len(f.verdict) for f in found))
    for f in found:
        todo = f" -> {f.todo}" if f.todo else ""
        typer.echo(f"{f.what:<{widths[0]}}  {f.verdict:<{widths[1]}}  {f.said}{todo}")
    raise typer.Exit(FAILED if any(f.verdict is Verdict.FAULT for f in found) else 0)


@app.command()
def totp(
    person: Annotated[str, typer.Argument(help="As callers are known: telegram:111.")],
) -> None:
    """Make a secret for a second factor, and say how to set it up; nothing is stored."""
    from chatbot.wiring.access import second_factor_steps

    steps = second_factor_steps(person)
    if not steps:
        _tell(f"{person} is nobody: write telegram:111, discord:222 or local:1000")
        raise typer.Exit(USAGE)
    typer.echo(steps)


@app.command()
def prove(
    venue: Annotated[str, typer.Argument(help="Its section: NAME of [venues.NAME].")],
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
    symbol: Annotated[str, typer.Option(help="What is bought and sold.")] = "BTC/USDT",
) -> None:
    """Do at an exchange what the desk relies on there, with the least that it takes; keep it."""
    from chatbot.cli import prove as proof

    os.umask(0o077)  # as `run`
    try:
        settings, traded = load(config, os.environ), Symbol.parse(symbol)
        asked = proof.question(proof.venue_to_prove(settings, venue), traded)
        if asked and typer.prompt(asked, default="no", err=True) != "yes":
            _tell("Nothing was sent.")
            raise typer.Exit(FAILED)
        with (
            StateFolder(settings.state_dir) as folder,
            logs.writing(
                folder.logs,
                level=settings.bot.log_level,
                console="error",
                secrets=settings.secrets(),
            ),
        ):
            failed = proof.prove(settings, folder, venue, traded, typer.echo)
    except TradingError as error:
        _tell(str(error))
        raise typer.Exit(FAILED) from None
    if failed:
        _tell(failed)
        raise typer.Exit(FAILED)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to make; it must not exist.")],
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
) -> None:
    """Copy the history to FILE, whole, whether the desk runs or not."""
    from chatbot.folder.history import HISTORY
    from storage.backup import copy

    try:
        copy(load(config, os.environ).state_dir / HISTORY, file)
    except TradingError as error:
        _tell(str(error))
        raise typer.Exit(FAILED) from None
    typer.echo(f"Backed up to {file}. A desk that starts on it starts halted.")


@app.command()
def scan(
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
    once: Annotated[  # noqa: FBT002  # an option of the command line
        bool, typer.Option("--once", help="One cycle, then end.")
    ] = False,
    as_json: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--json", help="As JSON.")
    ] = False,
) -> None:
    """Run one cycle of every trader, without faces, and report it; JSON has a line for each."""
    if not once:
        _tell("A scan by hand is one cycle: quarterdeck scan --once. The desk itself is `run`.")
        raise typer.Exit(USAGE)
    from chatbot.cli.scan import as_lines, as_text, scan_once

    os.umask(0o077)  # as `run`
    try:
        settings = load(config, os.environ)
        with StateFolder(settings.state_dir) as folder:
            secrets = settings.secrets()
            with logs.writing(
                folder.logs, level=settings.bot.log_level, console="warning", secrets=secrets
            ):
                reports = asyncio.run(scan_once(settings, folder))
    except TradingError as error:
        _tell(str(error))
        raise typer.Exit(FAILED) from None
    typer.echo(as_lines(reports) if as_json else as_text(reports))


class PeriodOption(StrEnum):
    """As `handlers.commands.figures.Span`, which takes a while to load."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"


@app.command()
def report(
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
    period: Annotated[
        PeriodOption, typer.Option(help="Up to the last day traded.")
    ] = PeriodOption.MONTH,
    as_json: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--json", help="As JSON.")
    ] = False,
) -> None:
    """Tell what came of the trading, from history alone, whether the desk runs or not."""
    from chatbot.cli.report import report as figures
    from handlers.texts.figures import Span

    try:
        settings = load(config, os.environ)
        found = figures(settings, Span(period.value), now=SystemClock().now())
    except TradingError as error:
        _tell(str(error))
        raise typer.Exit(FAILED) from None
    if as_json:
        typer.echo(json.dumps([each.as_json() for each in found], indent=2))
    else:
        typer.echo("\n\n".join(each.as_text() for each in found))


@app.command()
def backtest(  # noqa: PLR0917  # each is an option of the command line
    trader: Annotated[str, typer.Option(help="The trader of the settings.")],
    data: Annotated[Path, typer.Option(help="Candles: parquet, CSV, feather, or a folder.")],
    begin: Annotated[str, typer.Option("--from", help="A day or a moment.")] = "",
    end: Annotated[str, typer.Option("--to", help="The same; of a day, all of it.")] = "",
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
    timeframe: Annotated[str, typer.Option(help="Instead of the trader's, as in 1h.")] = "",
    symbols: Annotated[str, typer.Option(help="Instead of the trader's, or `all`.")] = "",
    resume_daily: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--resume-daily", help="Lift halts by guards at the next 00:00.")
    ] = False,
    every_bar: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--every-bar", help="By the trader alone: slow, and the reference.")
    ] = False,
    as_json: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--json", help="As JSON, with every fill and the whole curve.")
    ] = False,
    page: Annotated[Path | None, typer.Option("--html", help="Write a page there, too.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="A folder for fills, trades and curve as CSV, too.")
    ] = None,
) -> None:
    """Tell what a trader would have done with candles from a file: same risk, exits, ledger."""
    from chatbot.cli import backtest as history
    from chatbot.cli import backtest_export as data_of

    try:
        settings = load(config, os.environ)
        asked = history.BacktestArguments(
            trader=trader, data=data, begin=begin, end=end, symbols=symbols,
            timeframe=history.timeframe_of(timeframe), lift="daily" if resume_daily else "never",
        )  # fmt: skip
        found = history.backtest(settings, asked, every_bar=every_bar)
        if page is not None:
            history.write_page(found, page, theme=settings.chat.theme)
        if export is not None:
            data_of.write_tables(found, export)
    except (TradingError, ValueError, OSError) as error:
        _tell(*history.reasons(error))
        raise typer.Exit(FAILED) from None
    typer.echo(json.dumps(data_of.as_json(found)) if as_json else history.as_text(found))


class MetricOption(StrEnum):
    """As `trading.optimize.measure.Metric`, which takes a while to load."""

    SHARPE = "sharpe"
    SORTINO = "sortino"
    CALMAR = "calmar"
    GROWTH = "growth"


class WindowsOption(StrEnum):
    """As `trading.optimize.folds.Windows`, likewise."""

    ROLLING = "rolling"
    ANCHORED = "anchored"


@app.command()
def optimize(  # noqa: PLR0917  # each is an option of the command line
    trader: Annotated[str, typer.Option(help="The trader of the settings.")],
    data: Annotated[Path, typer.Option(help="Candles: parquet, CSV, feather, or a folder.")],
    begin: Annotated[str, typer.Option("--from", help="A day or a moment.")] = "",
    end: Annotated[str, typer.Option("--to", help="The same; of a day, all of it.")] = "",
    config: Annotated[Path, typer.Option(help="The settings.")] = Path("bot.toml"),
    timeframe: Annotated[str, typer.Option(help="Instead of the trader's, as in 1h.")] = "",
    symbols: Annotated[str, typer.Option(help="Instead of the trader's, or `all`.")] = "",
    resume_daily: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--resume-daily", help="Lift halts by guards at the next 00:00.")
    ] = False,
    trials: Annotated[int, typer.Option(min=1, help="Tries of each fold.")] = 50,
    folds: Annotated[int, typer.Option(min=1, max=50, help="Windows out of sample.")] = 4,
    windows: Annotated[
        WindowsOption, typer.Option(help="In sample: of one length, or all since the beginning.")
    ] = WindowsOption.ROLLING,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 1,
    metric: Annotated[
        MetricOption, typer.Option(help="What is to be large.")
    ] = MetricOption.SHARPE,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same tries again, with one process.")
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(help="Another range, fast=5:50, or a value, stop_atr=2; any number of them."),
    ] = None,
    storage: Annotated[
        str,
        typer.Option(
            envvar="QUARTERDECK_STUDY_STORAGE", show_envvar=True, help="postgresql:// or sqlite:///"
        ),
    ] = "",
    study: Annotated[str, typer.Option(help="Its name in the storage; the trader's.")] = "",
    as_json: Annotated[  # noqa: FBT002  # as above
        bool, typer.Option("--json", help="As JSON, with every fold.")
    ] = False,
    page: Annotated[Path | None, typer.Option("--html", help="Write a page there, too.")] = None,
) -> None:
    """Look for settings of a trader's strategy, and tell how much of what was found is luck."""
    if find_spec("optuna") is None:
        _tell(_NEEDS_OPTUNA)
        raise typer.Exit(FAILED)
    from chatbot.cli import optimize as search
    from chatbot.cli import optimize_report as told
    from chatbot.cli.backtest import BacktestArguments, reasons, timeframe_of
    from trading.optimize import folds as windows_of
    from trading.optimize import measure

    try:
        asked = BacktestArguments(
            trader=trader, data=data, begin=begin, end=end, symbols=symbols,
            timeframe=timeframe_of(timeframe), lift="daily" if resume_daily else "never",
        )  # fmt: skip
        found = search.optimize(
            config,
            search.Search(
                history=asked, trials=trials, count=folds, windows=windows_of.Windows(windows),
                jobs=jobs, metric=measure.Metric(metric), seed=seed, storage=storage, study=study,
                spaces=tuple(space or ()),
            ),
            _tell,
        )  # fmt: skip
        if page is not None:
            told.write_page(found, page, theme=load(config, os.environ).chat.theme)
    except KeyboardInterrupt:
        _tell("Ended.")
        raise typer.Exit(FAILED) from None
    except (TradingError, ValueError, OSError) as error:
        _tell(*reasons(error))
        raise typer.Exit(FAILED) from None
    typer.echo(json.dumps(told.as_json(found), indent=1) if as_json else told.as_text(found))


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def say(context: typer.Context) -> None:
    """Say one line to the desk that runs: quarterdeck say /status."""
    from chatbot.cli.say import say

    raise typer.Exit(say(context.args))


@app.command(context_settings=_PASSED_ON, add_help_option=False)
def stop(context: typer.Context) -> None:
    """Halt the desk, also when it is dead or hangs."""
    from chatbot.cli.brake import stop

    raise typer.Exit(stop(context.args))


def _run(config: Path, signals: EndSignals, *, seconds: float | None, fresh: bool) -> int:
    os.umask(0o077)  # what is made from here on is for its user, whatever they are used to
    try:
        signals.check()
        settings = load(config, os.environ)
        signals.check()
        with StateFolder(settings.state_dir) as folder:
            _tell(*settings.notices, *folder.notices)
            signals.check()
            if fresh:
                _start_anew(folder)
            with logs.writing(
                folder.logs,
                level=settings.bot.log_level,
                console="warning" if _has_prompt(settings) else settings.bot.log_level,
                secrets=settings.secrets(),
            ):
                return _guarded(lambda: _serve(settings, folder, seconds, signals), folder)
    except Cut as cut:
        _tell(str(cut))
        return cut.code
    except SettingsError as error:
        many = len(error.mistakes) > 1
        _tell(f"{len(error.mistakes)} mistakes in the settings:" if many else "A mistake:")
        _tell(*(f"  {mistake}" for mistake in error.mistakes), "Nothing was started.")
        return USAGE
    except TradingError as error:
        _tell(str(error))
        return FAILED


def _start_anew(folder: StateFolder) -> None:
    aside = folder.set_aside(SystemClock().now())
    if aside is not None:
        _tell(f"The old state is in {aside}. A halt that was active is still active.")


def _serve(
    settings: Settings, folder: StateFolder, seconds: float | None, signals: EndSignals
) -> int:
    from chatbot.watch.turns import Turns
    from chatbot.wiring.build import run

    signals.check()
    turns = Turns(SystemClock())
    with asyncio.Runner(loop_factory=turns.new_loop) as runner:
        return runner.run(run(settings, folder, for_seconds=seconds, signals=signals, turns=turns))


def _guarded(serve: Callable[[], int], folder: StateFolder) -> int:
    """What nobody expected goes to the log in full, and to the operator in one sentence."""
    try:
        return serve()
    except (TradingError, Cut):
        raise
    except Exception as error:  # the last boundary: the process ends here
        reference = os.urandom(3).hex()
        log = get_logger("quarterdeck")
        log.exception("ended", reference=reference, **{logs.TOLD: True})
        _tell(
            f"Quarterdeck ended on an unexpected error ({type(error).__name__}), "
            f"reference {reference}: see {folder.logs / logs.FILE}"
        )
        return FAILED


def _has_prompt(settings: Settings) -> bool:
    ends = (sys.stdin, sys.stdout)  # None when closed from outside
    return settings.chat.console.enabled and all(end and end.isatty() for end in ends)


def _tell(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)
