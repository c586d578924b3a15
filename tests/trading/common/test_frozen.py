"""Values that are quick to make and to change behave as frozen dataclasses do."""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from trading.common.frozen import fast_frozen, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    name: str
    size: int = 1
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size is below zero")


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    name: str
    size: int = 1
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size is below zero")


def test_it_is_made_compared_and_shown_as_the_dataclass_is() -> None:
    one, plain = Quick(name="a", size=2), Plain(name="a", size=2)
    assert dataclasses.asdict(one) == dataclasses.asdict(plain)
    assert repr(one) == repr(plain).replace("Plain", "Quick")
    assert one == Quick(name="a", size=2)
    assert one != Quick(name="b", size=2)
    assert type(one) is Quick


def test_what_is_not_given_has_its_default_each_its_own() -> None:
    one, other = Quick(name="a"), Quick(name="a")
    assert (one.size, one.notes) == (1, [])
    assert one.notes is not other.notes


def test_a_change_is_another_value_and_leaves_the_first_alone() -> None:
    one = Quick(name="a", size=2)
    other = replace(one, size=3)
    assert (one.size, other.size, other.name) == (2, 3, "a")
    assert other.notes is one.notes
    assert type(other) is Quick


def test_what_may_not_be_is_refused_when_made_and_when_changed() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Quick(name="a", size=-1)
    with pytest.raises(ValueError, match="below zero"):
        replace(Quick(name="a"), size=-1)
    with pytest.raises(TypeError):
        Quick()  # type: ignore[call-arg]  # that is the point
    with pytest.raises(AttributeError):
        replace(Quick(name="a"), colour="red")  # type: ignore[call-arg]  # likewise


def test_nobody_changes_it_in_place() -> None:
    one = Quick(name="a")
    with pytest.raises(FrozenInstanceError):
        one.size = 2  # type: ignore[misc]  # that is the point
    with pytest.raises(FrozenInstanceError):
        replace(one, size=2).size = 3  # type: ignore[misc]  # likewise


def test_it_travels_to_another_process() -> None:
    one = replace(Quick(name="a"), size=5)
    assert pickle.loads(pickle.dumps(one)) == one


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    at: int
    by: str = "nobody"


@fast_frozen
@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Base):
    name: str
    size: int = 1


def test_one_that_is_derived_from_a_frozen_dataclass_is_as_quick_and_as_frozen() -> None:
    one = Derived(at=1, name="a")
    other = replace(one, at=2, size=3)

    assert (other.at, other.by, other.name, other.size) == (2, "nobody", "a", 3)
    assert one == Derived(at=1, by="nobody", name="a", size=1)
    assert isinstance(one, Base)
    for field_name in ("at", "name"):
        with pytest.raises(FrozenInstanceError):
            setattr(one, field_name, 5)
        with pytest.raises(FrozenInstanceError):
            delattr(one, field_name)
    with pytest.raises(AttributeError):
        replace(one, colour=1)  # type: ignore[call-arg]  # there is none
