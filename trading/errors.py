"""Every error that Quarterdeck raises on purpose.

TradingError
├── Refused               we decided not to act; the message is fit for a chat
│   ├── InvalidSymbol
│   └── Halted            an entry met a halt; nothing was sent
├── NotDone               something was sent, and what was asked for did not come about
├── VenueError            the venue did not do what we asked
│   ├── VenueUnavailable  nothing happened; safe to retry
│   ├── VenueRejected     nothing happened; retrying the same will not help
│   │   └── VenueMisfit   it does not fit the market's rules, which may have changed
│   └── VenueUncertain    *something* may have happened; ask before doing anything else
├── StoreError            history could not be written; the fact is still in memory
└── SettingsError         the operator's file is wrong; carries every mistake
"""

from __future__ import annotations


class TradingError(Exception):
    """Base class of all deliberate errors."""


class Refused(TradingError):
    """We decided not to act.  The message is a sentence for a person."""


class InvalidSymbol(Refused):
    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a symbol; write it like BTC/USDT")


class Withheld(Refused):
    """Our own last look, as the request was to leave, kept it here."""


class ClosedAlready(Withheld):
    def __init__(self) -> None:
        super().__init__("that much is not open any more")


class Halted(Withheld):
    def __init__(self) -> None:
        super().__init__("entries are blocked by a halt")


class NotDone(TradingError):
    """Something was sent, and what was asked for did not come about.  A sentence for a person."""


class VenueError(TradingError):
    """The venue did not do what we asked."""


class VenueUnavailable(VenueError):
    """Nothing happened; safe to retry."""


class VenueRejected(VenueError):
    """Nothing happened; retrying the same will not help."""


class VenueMisfit(VenueRejected):
    """It does not fit the market's rules: read them again, and it may go by those."""


class VenueUncertain(VenueError):
    """The request may have been carried out.  Ask before doing anything else."""


class StoreError(TradingError):
    """History could not be written.  What was to be written is still in memory."""


class SettingsError(TradingError):
    """All mistakes of the settings at once, one sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes
