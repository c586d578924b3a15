"""`[feeds]` of kind `vote`: several feeds about one market, and what they must be to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from chatbot.settings.places import GivenValues, Mistake, tables
from chatbot.settings.values import Section, Whole, Wrong, in_percent, perhaps
from trading.market.recordings import CRASH, RECORDINGS

VOTE, CCXT, REPLAY = "vote", "ccxt", "replay"
FEWEST = 2


class VotingSource(Section):
    feed: str = Field(description="the name of a section [feeds.NAME]")
    weight: Whole = Field(1, ge=1, le=100)


class VoteFeedSettings(Section):
    kind: Literal["vote"]
    sources: tuple[VotingSource, ...] = Field(max_length=5, description="2 to 5 of {feed, weight}")
    far: Annotated[Decimal, BeforeValidator(in_percent)] = Field(
        Decimal("0.005"), ge=Decimal("0.0001"), le=Decimal("0.05")
    )
    least: Whole = Field(FEWEST, ge=1, le=5)

    @model_validator(mode="after")
    def _can_agree(self) -> Self:
        names = [source.feed for source in self.sources]
        twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
        if twice:
            raise Wrong(f"{twice} stands there twice, and has one vote", key="sources")
        if len(names) < FEWEST:
            raise Wrong("2 to 5 of {feed, weight} are needed to vote", key="sources")
        if self.least > len(names):
            raise Wrong(f"there are {len(names)} sources, so so many can never agree", key="least")
        return self


def votes(said: GivenValues) -> Iterator[Mistake]:
    """What the sources of feeds that vote must be, to each other and by themselves."""
    feeds = tables(said.values.get("feeds"))
    for name, feed in feeds.items():
        if feed.get("kind") != VOTE:
            continue
        yield from _wrong_sources(said, name, feed, feeds)
        yield from _together(said, name, {n: feeds[n] for n in prices_behind(name, feeds)})


def prices_behind(name: object, feeds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the feeds that have the prices of feed *name*: its sources, or itself."""
    feed = feeds.get(str(name), {})
    names = named_sources(feed) if feed.get("kind") == VOTE else [str(name)]
    return [each for each in names if each in feeds and feeds[each].get("kind") != VOTE]


def named_sources(feed: Mapping[str, Any]) -> list[str]:
    """Names of the sources of a feed that votes, as far as they can be read."""
    given = feed.get("sources")
    sources = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    return [str(each["feed"]) for each in sources if isinstance(each, Mapping) and "feed" in each]


def _wrong_sources(
    said: GivenValues, name: str, feed: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]
) -> Iterator[Mistake]:
    for number, source in enumerate(named_sources(feed)):
        place = ("feeds", name, "sources", number, "feed")
        if source not in feeds:
            yield said.wrong(place, f"there is no [feeds.{source}]{perhaps(source, feeds)}")
        elif source == name:
            yield said.wrong(place, "a feed is no source of itself")
        elif feeds[source].get("kind") == VOTE:
            why = f"{source} votes itself, and only feeds that have prices of their own do here"
            yield said.wrong(place, why)


def _together(
    said: GivenValues, name: str, sources: Mapping[str, Mapping[str, Any]]
) -> Iterator[Mistake]:
    """They tell of the same time, and no market twice: it would be one that agrees with itself."""
    place = ("feeds", name, "sources")
    if len({source.get("kind") for source in sources.values()}) > 1:
        yield said.at(place, ": recorded prices and real ones are not of the same time")
        return
    homes: dict[tuple[str, ...], str] = {}
    for each, source in sources.items():
        if source.get("kind") != CCXT:
            continue
        market = tuple(str(source.get(key)) for key in ("exchange", "market"))
        first = homes.setdefault(market, each)
        if first != each:
            why = f": {first} and {each} are both {' '.join(market)}, which has one vote"
            yield said.at(place, why)
    shown = {str(s.get("data", CRASH)) for s in sources.values() if s.get("kind") == REPLAY}
    times = {(r.timeframe, r.start) for data in shown if (r := RECORDINGS.get(data)) is not None}
    speeds = {str(s.get("speed", 60)) for s in sources.values() if s.get("kind") == REPLAY}
    if len(times) > 1 or len(speeds) > 1:
        yield said.at(place, ": recordings vote about the same candles, at the same speed")
