from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.halt_json import halt_from_json, halt_to_json
from tests.builders import NOON, a_halt, after
from trading.errors import Halted
from trading.model.halt import EVERYONE, Halt, Latch, Permit, Reached, Stage, Verb


def engage(latch: Latch, verb: Verb = Verb.STOP, scope: str = "majors") -> Halt:
    return latch.engage(scope=scope, verb=verb, by="ben, Telegram", why="", at=NOON)


def lift(latch: Latch, halt: Halt) -> None:
    latch.lift(latch.lifted(halt.id, by="anna, Telegram", at=after(minutes=1)))


def is_open(permit: Permit) -> bool:
    try:
        permit()
    except Halted:
        return False
    return True


def is_halted(latch: Latch, trader: str) -> bool:
    try:
        latch.permit(trader)
    except Halted:
        return True
    return False


# -- permits ----------------------------------------------------------------------------------


def test_a_permit_holds_as_long_as_nobody_halts() -> None:
    permit = Latch().permit("majors")
    assert is_open(permit)
    assert is_open(permit)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("scope", ["majors", EVERYONE])
def test_from_the_moment_of_a_halt_no_permit_holds(verb: Verb, scope: str) -> None:
    latch = Latch()
    permit = latch.permit("majors")
    engage(latch, verb, scope)
    assert not is_open(permit)
    with pytest.raises(Halted):
        latch.permit("majors")


def test_an_entry_that_waited_through_stop_and_resume_still_may_not_leave() -> None:
    latch = Latch()
    waiting = latch.permit("majors")
    lift(latch, engage(latch))
    assert not is_open(waiting)
    assert is_open(latch.permit("majors"))


def test_stopping_all_and_resuming_spends_the_permits_of_each_trader() -> None:
    latch = Latch()
    permits = [latch.permit("majors"), latch.permit("minors")]
    lift(latch, engage(latch, scope=EVERYONE))
    assert [is_open(permit) for permit in permits] == [False, False]


def test_another_traders_halt_is_no_concern() -> None:
    latch = Latch()
    permit = latch.permit("minors")
    engage(latch, scope="majors")
    assert is_open(permit)
    assert latch.covering("minors") == ()


# -- the set of halts -------------------------------------------------------------------------


def test_the_strictest_wins_and_the_earlier_one_of_equals() -> None:
    latch = Latch()
    assert latch.strictest("majors") is None
    pause = engage(latch, Verb.PAUSE)
    stop = engage(latch, Verb.STOP, EVERYONE)
    engage(latch, Verb.STOP)
    assert latch.strictest("majors") == stop
    flatten = engage(latch, Verb.FLATTEN)
    assert latch.strictest("majors") == flatten
    assert latch.strictest("minors") == stop
    lift(latch, flatten)
    lift(latch, stop)
    assert latch.get(pause.id) == pause


def test_lifting_one_leaves_the_others() -> None:
    latch = Latch()
    first, second = engage(latch), engage(latch)
    lift(latch, first)
    assert latch.covering("majors") == (second,)
    assert is_halted(latch, "majors")


def test_a_halt_holds_until_it_is_lifted_not_while_that_is_being_written() -> None:
    latch = Latch()
    halt = engage(latch)
    written = latch.lifted(halt.id, by="anna, Telegram", at=after(minutes=1))
    assert is_halted(latch, "majors")
    latch.lift(written)
    assert not is_halted(latch, "majors")
    assert (written.lifted_by, written.lifted_at) == ("anna, Telegram", after(minutes=1))
    assert written.part("majors").version > halt.part("majors").version


def test_a_number_is_never_used_twice() -> None:
    latch = Latch()
    first = engage(latch)
    lift(latch, first)
    assert engage(latch).id == "H2"


def test_numbers_go_on_after_what_files_remember() -> None:
    latch = Latch()
    latch.numbers.skip(16)
    assert engage(latch).id == "H17"
    assert engage(Latch([a_halt(id="H20")])).id == "H21"
    latch = Latch()
    latch.adopt(a_halt(id="H5"))
    assert (engage(latch).id, latch.numbers.used) == ("H6", 6)


def test_a_halt_is_found_as_people_type_it() -> None:
    latch = Latch()
    halt = engage(latch)
    assert latch.get("h1") == halt
    assert latch.get("H2") is None


# -- adoption ---------------------------------------------------------------------------------


def test_what_was_active_before_the_start_halts_from_the_start() -> None:
    latch = Latch([a_halt()])
    assert is_halted(latch, "majors")
    assert latch.active == (a_halt(),)


def test_a_halt_made_elsewhere_spends_permits_given_here() -> None:
    latch = Latch()
    permit = latch.permit("majors")
    latch.adopt(a_halt(id="H3"))
    assert not is_open(permit)
    lift(latch, a_halt(id="H3"))
    assert not is_open(permit)


def test_adopting_one_that_is_lifted_already_blocks_nothing() -> None:
    latch = Latch()
    latch.adopt(a_halt(lifted_at=NOON, lifted_by="ben, Telegram"))
    assert not is_halted(latch, "majors")
    assert latch.numbers.used == 1


# -- stages -----------------------------------------------------------------------------------


def test_a_stage_is_noted_once_for_each_trader() -> None:
    latch = Latch()
    halt = engage(latch, scope=EVERYONE)
    early = Reached(stage=Stage.ENTRIES_BLOCKED, at=NOON)
    late = Reached(stage=Stage.ENTRIES_BLOCKED, at=after(minutes=1))
    once = latch.reach(halt.id, "majors", early)
    assert latch.reach(halt.id, "majors", late) == once
    both = latch.reach(halt.id, "minors", late)
    assert both.stages_of("majors") == (early,)
    assert both.stages_of("minors") == (late,)
    assert not both.has_reached("majors", Stage.CANCELS_CONFIRMED)
    assert latch.get(halt.id) == both


def test_versions_only_grow() -> None:
    latch = Latch()
    halt = engage(latch)
    reached = latch.reach(halt.id, "majors", Reached(stage=Stage.FLAT, at=NOON))
    lifted = latch.lifted(halt.id, by="ben, Telegram", at=NOON)
    first, second, last = (h.part("majors").version for h in (halt, reached, lifted))
    assert first < second < last
    assert lifted.stages == reached.stages


# -- whatever the interleaving ----------------------------------------------------------------

TRADERS = ("majors", "minors")
SCOPES = st.sampled_from([*TRADERS, EVERYONE])


@dataclass
class Given:
    """A permit, and what has covered its trader since it was given."""

    trader: str
    check: Permit
    halted_since: bool = False


@dataclass
class Model:
    active: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    permits: list[Given] = field(default_factory=list)

    def engaged(self, halt: Halt) -> None:
        assert halt.id not in self.ids
        self.ids.add(halt.id)
        self.active[halt.id] = halt.scope
        for permit in self.permits:
            permit.halted_since |= halt.covers(permit.trader)

    def is_halted(self, trader: str) -> bool:
        return any(scope in (trader, EVERYONE) for scope in self.active.values())


class Interleaving(RuleBasedStateMachine):
    """People, guards, files and waiting entries in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.latch = Latch()
        self.model = Model()

    @rule(scope=SCOPES, verb=st.sampled_from(Verb))
    def halt(self, scope: str, verb: Verb) -> None:
        self.model.engaged(engage(self.latch, verb, scope))

    @rule(scope=SCOPES, skipped=st.integers(1, 3))
    def adopt(self, scope: str, skipped: int) -> None:
        halt = a_halt(id=f"H{self.latch.numbers.used + skipped}", scope=scope)
        self.latch.adopt(halt)
        self.model.engaged(halt)

    @precondition(lambda self: self.model.active)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        halt_id = data.draw(st.sampled_from(sorted(self.model.active)))
        self.latch.lift(self.latch.lifted(halt_id, by="ben, Telegram", at=NOON))
        del self.model.active[halt_id]

    @precondition(lambda self: self.model.active)
    @rule(data=st.data(), stage=st.sampled_from(Stage), trader=st.sampled_from(TRADERS))
    def reach(self, data: st.DataObject, stage: Stage, trader: str) -> None:
        halt_id = data.draw(st.sampled_from(sorted(self.model.active)))
        self.latch.reach(halt_id, trader, Reached(stage=stage, at=NOON))

    @rule(trader=st.sampled_from(TRADERS))
    def ask(self, trader: str) -> None:
        if self.model.is_halted(trader):
            assert is_halted(self.latch, trader)
        else:
            self.model.permits.append(Given(trader, self.latch.permit(trader)))

    @invariant()
    def no_entry_leaves_against_a_halt(self) -> None:
        for permit in self.model.permits:
            withheld = permit.halted_since or self.model.is_halted(permit.trader)
            assert is_open(permit.check) is not withheld

    @invariant()
    def the_latch_knows_what_is_active(self) -> None:
        assert {h.id: h.scope for h in self.latch.active} == self.model.active
        for trader in TRADERS:
            strictest = self.latch.strictest(trader)
            verbs = [h.verb for h in self.latch.covering(trader)]
            assert (strictest and strictest.verb) == max(verbs, default=None)


TestInterleaving = Interleaving.TestCase


# -- each trader's own ------------------------------------------------------------------------

SOMEBODY = st.sampled_from([*TRADERS, EVERYONE])
MOMENTS = st.integers(0, 9).map(lambda seconds: after(seconds=seconds))


@st.composite
def halts(draw: st.DrawFn) -> Halt:
    """As a latch makes them: engaged, with stages of those it holds, perhaps lifted."""
    scope = draw(SOMEBODY)
    latch, later = Latch(), scope != EVERYONE and draw(st.booleans())
    halt = latch.engage(scope=scope, verb=Verb.STOP, by="ben", why="", at=NOON, later=later)
    held = TRADERS if halt.is_for_all else (scope,)
    noted = st.tuples(st.sampled_from(held), st.sampled_from(Stage))
    for second, (trader, stage) in enumerate(draw(st.lists(noted, max_size=6))):
        halt = latch.reach(halt.id, trader, Reached(stage=stage, at=after(seconds=second)))
    return latch.lift(latch.lifted(halt.id, by="anna", at=NOON)) if draw(st.booleans()) else halt


@given(halts())
def test_a_halt_is_what_the_halts_of_its_traders_are_together(halt: Halt) -> None:
    again = Halt.of(halt.parts)
    assert again.parts == halt.parts
    assert all(again.covers(name) == halt.covers(name) for name in (*TRADERS, "new", EVERYONE))
    assert halt_from_json(json.loads(json.dumps(halt_to_json(halt)))) == halt


@given(halts(), st.data())
def test_of_two_copies_nothing_is_forgotten_whichever_is_older(
    halt: Halt, data: st.DataObject
) -> None:
    older = replace(
        halt,
        stages=halt.stages[: data.draw(st.integers(0, len(halt.stages)))],
        lifted_at=None,
        lifted_by="",
    )
    both = [older.merged(halt), halt.merged(older)]
    assert [set(copy.parts) for copy in both] == [set(halt.parts)] * 2


@pytest.mark.parametrize("later", [False, True])
def test_a_stop_of_the_only_trader_holds_one_that_comes_later(later: bool) -> None:  # drawn
    latch = Latch()
    halt = latch.engage(scope="majors", verb=Verb.STOP, by="ben", why="", at=NOON, later=later)
    assert halt.scope == "majors"
    assert is_halted(latch, "new") is later
    assert latch.reach(halt.id, "new", Reached(stage=Stage.SAVED, at=NOON)).covers("majors")


def test_a_halt_holds_each_trader_from_when_it_was_laid_on_it() -> None:
    made, later, done = (after(minutes=n) for n in (0, 5, 6))
    halt = Halt(
        id="H1", scope=EVERYONE, verb=Verb.STOP, by="ben", why="", at=made,
        stages=(
            ("one", Reached(stage=Stage.REQUESTED, at=made)),
            ("two", Reached(stage=Stage.ENTRIES_BLOCKED, at=later)),
            ("two", Reached(stage=Stage.CANCELS_CONFIRMED, at=done)),
            ("three", Reached(stage=Stage.CANCELS_CONFIRMED, at=done)),
        ),
    )  # fmt: skip
    since = [halt.since(trader) for trader in ("one", "two", "three", "unknown")]
    assert since == [made, later, made, made], "what is done is no beginning"
