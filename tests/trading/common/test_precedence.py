"""What computes beside the event loop rests while somebody acts, and not for ever."""

from __future__ import annotations

from threading import Event, Thread

from trading.common.precedence import Precedence


class Scan(Thread):
    """Computes a row, and asks whether it may go on with the next."""

    def __init__(self, precedence: Precedence) -> None:
        super().__init__(daemon=True)
        self._precedence = precedence
        self.began = Event()
        self.ended = Event()

    def run(self) -> None:
        self.began.set()
        self._precedence.give_way()
        self.ended.set()


def test_a_scan_rests_until_everybody_who_acts_has_given_back() -> None:
    precedence, scan = Precedence(longest=60), None
    precedence.take("majors")
    precedence.take("alts")
    scan = Scan(precedence)
    scan.start()
    scan.began.wait()

    precedence.give_back("majors")
    assert precedence.is_taken
    assert not scan.ended.is_set()
    precedence.give_back("alts")
    scan.join()

    assert scan.ended.is_set()
    assert not precedence.is_taken


def test_whoever_acts_for_too_long_holds_up_no_scan() -> None:
    precedence = Precedence(longest=0.01)
    precedence.take("majors")
    scan = Scan(precedence)
    scan.start()
    scan.join()

    assert not precedence.is_taken  # lost: the next piece of work does not wait, either


def test_what_computes_waits_for_nobody_where_nobody_acts() -> None:
    precedence = Precedence(longest=60)

    precedence.give_back("majors")  # it never took it
    precedence.give_way()

    assert not precedence.is_taken
