"""The plan of what goes wrong at the test venue: which request or event meets which fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.exchange import DROP_REPLY, Close, FaultPlan, Recorded


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan(now=lambda: 1_000, names_of=lambda told: {told["e"]})


def request(method: str = "POST", path: str = "/fapi/v1/order", **params: str) -> Recorded:
    return Recorded(arrived=1, method=method, path=path, params=params)


def event(number: int, name: str = "executionReport") -> Any:
    return {"e": name, "n": number}


def test_a_fault_waits_for_its_requests_and_wears_off(plan: FaultPlan) -> None:
    fault = plan.on("POST", "*/order", DROP_REPLY, where={"side": "BUY"}, after=1, times=2)
    others = [request("DELETE", side="BUY"), request(path="/x", side="BUY"), request(side="SELL")]
    assert [plan.meeting(other) for other in others] == [None] * 3
    met = [plan.meeting(request(side="BUY")) for _ in range(4)]
    assert met == [None, fault, fault, None]
    assert fault.acted == 2


def test_where_can_be_any_question(plan: FaultPlan) -> None:
    fault = plan.on("*", "*", Close(), where=lambda params: "reduceOnly" not in params, times=None)
    assert plan.meeting(request(reduceOnly="true")) is None
    assert plan.meeting(request()) is fault


def test_hidden_orders_are_counted_by_query(plan: FaultPlan) -> None:
    plan.hide("qd-*", queries=2)
    answers = [(hidden("qd-1"), hidden("web_1")) for hidden in (plan.hidden() for _ in range(3))]
    assert answers == [(True, False), (True, False), (False, False)]


def test_events_are_dropped_and_doubled(plan: FaultPlan) -> None:
    plan.on_event("executionReport", "drop")
    plan.on_event("executionReport", "duplicate")
    assert plan.shaped(event(1)) == []
    assert plan.shaped(event(2)) == [event(2), event(2)]
    assert plan.shaped(event(3)) == [event(3)]


def test_an_event_changes_places_with_the_next_of_its_name(plan: FaultPlan) -> None:
    plan.on_event("executionReport", "swap")
    balance = event(0, "outboundAccountPosition")
    pushed = [plan.shaped(e) for e in (event(1), balance, event(2), event(3))]
    assert pushed == [[], [balance], [event(2), event(1)], [event(3)]]


def test_a_held_event_is_delivered_when_released(plan: FaultPlan) -> None:
    late: list[Any] = []
    plan.deliver_by(late.append)
    fault = plan.on_event("*", "hold", where=lambda told: told["n"] == 1)
    assert [plan.shaped(event(n)) for n in (0, 1, 2)] == [[event(0)], [], [event(2)]]
    plan.release(fault)
    assert late == [event(1)]
