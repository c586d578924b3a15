"""Facts about what has happened.  Past tense, frozen, dated by the wall clock, never vetoed.

Each carries what its announcement needs, already rounded to the market's tick and lot.
`handlers/alerts/` decides how each reads, or that it is silent.  An event is added in one place:
the file of its subject.
"""
# ruff: noqa: F403  # a list of the names here would be a second place for each of them

from trading.events.base import *
from trading.events.books import *
from trading.events.desk import *
from trading.events.halts import *
from trading.events.limits import *
from trading.events.orders import *
from trading.events.positions import *
from trading.events.traders import *
