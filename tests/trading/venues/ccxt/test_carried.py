"""A request says what it must in the fields that are read, or it does not leave."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from trading.venues.ccxt.carried import missing

URL = "https://example.org/api/v3/order"
ORDER = {
    "symbol": "BTCUSDT",
    "newClientOrderId": "qd-1",
    "stopPrice": "45000.00",
    "reduceOnly": "true",
}


@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_fields_are_found_wherever_requests_have_them(place: str) -> None:
    form = urlencode(ORDER)
    url = f"{URL}?{form}" if place == "query" else URL
    body = {"query": "", "form": form, "json": json.dumps(ORDER)}[place]
    assert missing({"newClientOrderId": "qd-1", "stopPrice": "45000"}, url, body) == ""
    assert missing({"reduceOnly": "true"}, url, body) == ""


@pytest.mark.parametrize("place", ["query", "form", "json"])
@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"clOrdId": "qd-1"}, "clOrdId=qd-1"),  # the value stands in a field that is not read
        ({"newClientOrderId": "qd-2"}, "newClientOrderId=qd-2"),
        ({"newClientOrderId": "qd"}, "newClientOrderId=qd"),  # a part of it is another id
        ({"ClientOrderId": "qd-1"}, "ClientOrderId=qd-1"),
        ({"stopPrice": "4500"}, "stopPrice=4500"),
        ({"triggerPrice": "45000"}, "triggerPrice=45000"),
    ],
)
def test_elsewhere_or_otherwise_is_missing(place: str, wanted: dict[str, str], told: str) -> None:
    form = urlencode({**ORDER, "note": "clOrdId=qd-1"})
    url = f"{URL}?{form}" if place == "query" else URL
    body = {"query": "", "form": form, "json": json.dumps(ORDER)}[place]
    assert missing(wanted, url, body) == told


def test_a_path_of_names_leads_into_json() -> None:
    body = json.dumps({"initial": {"text": "t-qd-1"}, "trigger": {"price": 45000.0, "rule": 2}})
    assert missing({"trigger.price": "45000", "trigger.rule": "2"}, URL, body) == ""
    assert missing({"initial.text": "t-qd-1"}, URL, body) == ""
    assert missing({"trigger.text": "t-qd-1"}, URL, body) != ""


def test_lists_of_orders_are_looked_into_and_switches_are_words() -> None:
    body = json.dumps([{"clOrdId": "a", "reduceOnly": True}, {"clOrdId": "b"}])
    assert missing({"clOrdId": "b", "reduceOnly": "true"}, URL, body) == ""
    assert missing({"reduceOnly": "false"}, URL, body) == "reduceOnly=false"


def test_what_a_form_escapes_is_read_as_it_is_meant() -> None:
    assert missing({"id": "a b&c=d"}, URL, urlencode({"id": "a b&c=d"})) == ""


def test_a_part_of_the_path_may_be_asked_for() -> None:
    assert missing({"/": "qd-1"}, f"{URL}/qd-1?x=1", "") == ""
    assert missing({"/": "qd-1"}, f"{URL}/other?x=qd-1", "") == "/=qd-1"
