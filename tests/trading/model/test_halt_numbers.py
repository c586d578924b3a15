from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from trading.model.halt import EVERYONE, Latch, Verb
from trading.model.halt_numbers import HaltNumbers, halt_number


def engage(latch: Latch) -> str:
    return latch.engage(scope=EVERYONE, verb=Verb.STOP, by="ben, Telegram", why="", at=NOON).id


def test_numbers_come_from_the_blocks_in_their_order() -> None:
    latch = Latch(numbers=HaltNumbers([range(4, 6), range(101, 103)], tag="KQZ"))
    assert [engage(latch) for _ in range(4)] == ["H4", "H5", "H101", "H102"]


def test_without_numbers_a_halt_is_made_all_the_same_and_found_by_its_letters() -> None:
    latch = Latch(numbers=HaltNumbers(tag="KQZ"))
    assert [engage(latch) for _ in range(2)] == ["HKQZ-1", "HKQZ-2"]
    halt = latch.get("hkqz-2")
    assert halt is not None
    assert halt.id == "HKQZ-2"
    assert halt_number(halt.id) == 0


def test_once_there_are_numbers_they_are_used() -> None:
    latch = Latch(numbers=HaltNumbers(tag="KQZ"))
    engage(latch)
    latch.numbers.add([range(1, 101)])
    assert engage(latch) == "H1"


def test_what_was_added_before_does_not_count_twice() -> None:
    numbers = HaltNumbers([range(1, 101)], tag="KQZ")
    numbers.take()
    numbers.add([range(2, 101), range(201, 301)])
    taken = [numbers.take() for _ in range(199)]
    assert len(set(taken)) == 199
    assert numbers.take() == "HKQZ-1"


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 5)), max_size=5),
    st.lists(st.integers(0, 70), max_size=5),
)
def test_none_is_ever_used_twice_nor_one_that_is_known(
    blocks: list[tuple[int, int]], known: list[int]
) -> None:
    numbers, taken = HaltNumbers(tag="KQZ"), list[str]()
    for (first, length), used in zip(blocks, [*known, *[0] * len(blocks)], strict=False):
        numbers.add([range(first, first + length)])
        numbers.skip(used)
        found = numbers.take()
        assert halt_number(found) == 0 or halt_number(found) > used
        taken.append(found)
    assert len(set(taken)) == len(taken)
