"""Six digits for what loosens or spends; never for what makes safer."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pyotp import TOTP

from handlers.caller import Caller
from handlers.confirmations import SAFE, Confirmations
from handlers.dispatch import Dispatcher
from handlers.message import Message
from handlers.reply import Outcome, Reply
from handlers.second_factor import CodeAnswer, SecondFactor, address_of, new_secret
from tests.builders import a_price, a_ticket
from tests.handlers.fakes import ANNA, BEN, CLEO, House
from tests.handlers.story import COMMANDS, NOW, XRP, checked, reads, shown
from trading.clocks import ManualClock
from trading.errors import StoreError

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class GuardedHouse(House):
    """Ben and anna have set up a second factor."""

    def __init__(self) -> None:
        super().__init__()
        factor = SecondFactor(self.clock, {BEN.user: SEED, ANNA.user: SEED})
        confirmations = Confirmations(self.clock, lambda: next(self.codes), factor)
        self.services = replace(self.services, confirmations=confirmations)
        self.dispatcher = Dispatcher(self.services)

    def digits(self, seconds: int = 0) -> str:
        """What the app shows, so many seconds from now."""
        return TOTP(SEED).at(self.clock.now() + timedelta(seconds=seconds))

    def wrong_digits(self) -> str:
        right = {self.digits(seconds) for seconds in (-30, 0, 30)}
        return next(d for d in ("000000", "111111", "222222", "333333") if d not in right)

    async def asked_to_resume(self, who: Caller = BEN) -> Reply:
        await self.say("/stop")
        return await self.say("/resume", who)

    @property
    def resumed(self) -> bool:
        return any(what[0] == "resume" for what in self.desk.asked)


@pytest.fixture
def house() -> GuardedHouse:
    return GuardedHouse()


async def test_the_question_says_what_to_type(house: GuardedHouse) -> None:
    asked = await house.asked_to_resume()

    assert asked.text.endswith(
        "With six digits from your app: /confirm 7K3Q 123456\nOnly ben, here, for 60\u00a0s."
    )
    assert [c.command for c in asked.choices] == ["/cancel 7K3Q", "/confirm 7K3Q"]


async def test_the_right_digits_confirm(house: GuardedHouse) -> None:
    await house.asked_to_resume()

    reply = await house.say(f"/confirm 7K3Q {house.digits()}")

    assert reply.title.startswith("✓ Trading")
    assert house.resumed


async def test_digits_may_be_typed_as_the_app_shows_them(house: GuardedHouse) -> None:
    await house.asked_to_resume()
    digits = house.digits()

    await house.say(f"/confirm 7K3Q {digits[:3]} {digits[3:]}")

    assert house.resumed


async def test_the_button_alone_tells_what_to_type_and_the_question_stays(
    house: GuardedHouse,
) -> None:
    asked = await house.asked_to_resume()
    house.clock.advance(20)

    pressed = await house.press("Resume", asked)

    reads(
        pressed,
        "✕ Six digits are missing\n"
        "Nothing was sent. Type /confirm 7K3Q and the digits from your app, as in "
        "/confirm 7K3Q 123456. It holds for 40 s more.\n[Cancel: /cancel 7K3Q]",
    )
    assert pressed.outcome is Outcome.REFUSED
    assert not house.resumed
    await house.say(f"/confirm 7K3Q {house.digits()}")
    assert house.resumed


async def test_three_wrong_tries_void_the_question(house: GuardedHouse) -> None:
    await house.asked_to_resume()
    wrong = house.wrong_digits()

    titles = [(await house.say(f"/confirm 7K3Q {wrong}")).title for _ in range(3)]
    after = await house.say(f"/confirm 7K3Q {house.digits()}")

    assert titles == [
        "✕ Wrong digits, 2 tries left",
        "✕ Wrong digits, 1 try left",
        "✕ Wrong digits 3 times, the question is void. Nothing was sent.",
    ]
    assert shown(after) == (
        "✕ Already void after 3 wrong codes. Nothing was sent.\n[Ask again: /resume]"
    )
    assert not house.resumed


async def test_digits_count_once(house: GuardedHouse) -> None:
    await house.asked_to_resume()
    digits = house.digits()
    await house.say(f"/confirm 7K3Q {digits}")
    house.desk.asked.clear()
    await house.asked_to_resume()

    again = await house.say(f"/confirm 9D2M {digits}")

    assert again.title == "✕ These digits were used, wait for new ones"
    assert not house.resumed
    house.clock.advance(30)
    await house.say(f"/confirm 9D2M {house.digits()}")
    assert house.resumed


async def test_the_digits_of_another_person_do_not_use_up_mine(house: GuardedHouse) -> None:
    await house.asked_to_resume(ANNA)
    await house.say(f"/confirm 7K3Q {house.digits()}", ANNA)
    await house.asked_to_resume()

    reply = await house.say(f"/confirm 9D2M {house.digits()}")

    assert reply.outcome is Outcome.DONE


@pytest.mark.parametrize(("seconds", "is_right"), [(-60, False), (-30, True), (30, True)])
async def test_a_phone_may_be_one_step_off(
    house: GuardedHouse, seconds: int, *, is_right: bool
) -> None:
    await house.asked_to_resume()

    await house.say(f"/confirm 7K3Q {house.digits(seconds)}")

    assert house.resumed is is_right


class Notes:
    """A history that may fail."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.fails = False

    async def note(self, name: str) -> str | None:
        self._check()
        return self.kept.get(name)

    async def keep(self, name: str, value: str) -> None:
        self._check()
        self.kept[name] = value

    def _check(self) -> None:
        if self.fails:
            raise StoreError("the disk is full")


async def test_digits_count_once_over_a_restart_too() -> None:
    clock, notes = ManualClock(NOW), Notes()
    digits = TOTP(SEED).at(clock.now())

    first = await SecondFactor(clock, {"a": SEED}, notes).look("a", digits)
    again = await SecondFactor(clock, {"a": SEED}, notes).look("a", digits)

    assert (first, again) == (CodeAnswer.RIGHT, CodeAnswer.USED)


@pytest.mark.parametrize("restarts", [1, 3, 9])
async def test_who_guesses_is_held_off_over_restarts_too(restarts: int) -> None:
    clock, notes = ManualClock(NOW), Notes()
    for _ in range(restarts):
        factor = SecondFactor(clock, {"a": SEED, "b": SEED}, notes)
        for _ in range(9 // restarts):
            assert await factor.look("a", "no") is CodeAnswer.WRONG
    clock.advance(3_599)  # the process's own count begins anew with each start
    restarted = ManualClock(clock.now())
    factor = SecondFactor(restarted, {"a": SEED, "b": SEED}, notes)

    held_off = await factor.look("a", TOTP(SEED).at(restarted.now()))
    other = await factor.look("b", TOTP(SEED).at(restarted.now()))
    restarted.advance(1)
    later = await factor.look("a", TOTP(SEED).at(restarted.now()))

    assert (held_off, other, later) == (CodeAnswer.HELD_OFF, CodeAnswer.RIGHT, CodeAnswer.RIGHT)


@pytest.mark.parametrize("reads", [True, False])
async def test_what_cannot_be_remembered_is_no_yes(*, reads: bool) -> None:
    clock, notes = ManualClock(NOW), Notes()
    factor = SecondFactor(clock, {"a": SEED}, notes)
    if reads:
        await factor.look("a", "no")
    notes.fails = True
    assert await factor.look("a", TOTP(SEED).at(clock.now())) is CodeAnswer.UNKNOWN
    notes.fails = False
    clock.advance(30)
    assert await factor.look("a", TOTP(SEED).at(clock.now())) is CodeAnswer.RIGHT


async def test_two_presses_with_the_right_digits_act_once(house: GuardedHouse) -> None:
    await house.asked_to_resume()
    first, second = await asyncio.gather(
        house.say(f"/confirm 7K3Q {house.digits()}"),
        house.say(f"/confirm 7K3Q {house.digits(30)}"),
    )
    assert sorted((first.outcome, second.outcome)) == [Outcome.DONE, Outcome.REFUSED]
    assert [what[0] for what in house.desk.asked].count("resume") == 1


async def test_after_nine_wrong_ones_nobody_guesses_for_an_hour() -> None:
    clock = ManualClock(NOW)
    factor = SecondFactor(clock, {"telegram:2": SEED})
    wrong = [await factor.look("telegram:2", "no") for _ in range(9)]

    held_off = await factor.look("telegram:2", TOTP(SEED).at(clock.now()))
    clock.advance(3_600)
    later = await factor.look("telegram:2", TOTP(SEED).at(clock.now()))

    assert set(wrong) == {CodeAnswer.WRONG}
    assert (held_off, later) == (CodeAnswer.HELD_OFF, CodeAnswer.RIGHT)


@pytest.mark.parametrize(
    "digits", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "é"]
)
async def test_what_is_no_code_is_wrong(digits: str) -> None:
    assert await SecondFactor(ManualClock(NOW), {"a": SEED}).look("a", digits) is CodeAnswer.WRONG


async def test_whoever_set_up_none_is_not_asked(house: GuardedHouse) -> None:
    dora = replace(BEN, user="telegram:4", name="dora")
    asked = await house.asked_to_resume(dora)

    assert "digits" not in asked.text
    await house.press("Resume", asked, dora)
    assert house.resumed


@pytest.mark.parametrize("said", ["/flatten", "/close SOL 50%"])
async def test_what_makes_safer_asks_for_no_digits(house: GuardedHouse, said: str) -> None:
    asked = await house.say(said)

    assert "digits" not in asked.text
    pressed = await house.say(asked.choices[1].command)
    assert "digits" not in shown(pressed)
    assert house.desk.asked or house.trader.asked


@pytest.mark.parametrize("said", ["/stop", "/pause"])
async def test_a_stop_is_never_asked_for_digits(house: GuardedHouse, said: str) -> None:
    reply = await house.say(said)
    assert reply.outcome is Outcome.DONE
    assert house.desk.asked


async def test_settings_are_read_again_only_with_digits(house: GuardedHouse) -> None:
    asked = await house.say("/reload", ANNA)

    assert asked.outcome is Outcome.CONFIRM
    assert asked.title == "⚠ Go on with /reload?"
    assert "With six digits from your app: /confirm 7K3Q 123456" in asked.text
    reply = await house.say(f"/confirm 7K3Q {house.digits()}", ANNA)
    assert "Settings" in reply.title


LOOSENING = [name for name, command in COMMANDS.items() if command.loosens]


@pytest.mark.parametrize("name", LOOSENING)
async def test_a_question_of_what_loosens_wants_digits(house: GuardedHouse, name: str) -> None:
    async def act() -> Reply:
        return Reply("done")

    asked = house.services.confirmations.ask(BEN, f"/{name.upper()}!", Reply("?"), act)

    assert "With six digits from your app" in asked.text


@pytest.mark.parametrize("name", [name for name in LOOSENING if not COMMANDS[name].at_once])
def test_what_loosens_asks_a_question_or_is_asked_for(name: str) -> None:
    """A new command that loosens at once says so: `at_once`."""
    module = inspect.getmodule(COMMANDS[name].run)
    assert module is not None
    assert "confirmations.ask(" in inspect.getsource(module)


async def test_an_entry_by_hand_wants_digits(house: GuardedHouse) -> None:
    house.trader.tickets = [a_ticket()]
    house.trader.prices = {XRP: a_price()}

    asked = checked(await house.say("/buy XRP 200"))

    assert "With six digits from your app: /confirm 7K3Q 123456" in asked.text


def test_what_needs_no_digits_loosens_nothing() -> None:
    assert [name for name in SAFE if COMMANDS[name].loosens] == []
    assert all(COMMANDS[name].loosens for name in COMMANDS if COMMANDS[name].at_once)


async def test_the_audit_keeps_no_digits(house: GuardedHouse) -> None:
    await house.asked_to_resume()
    await house.say(f"/confirm 7K3Q {house.digits()}")
    await house.say("/confirm 7K3Q 123 456")
    await house.dispatcher.settle()

    said = [word.said for word in house.store.written if "confirm" in word.said]
    assert said == ["/confirm 7K3Q ***", "/confirm 7K3Q ***"]


def test_a_new_secret_is_long_and_its_address_is_for_apps() -> None:
    secret = new_secret()
    address = urlsplit(address_of(secret, "telegram:111"))

    assert len(secret) == 32
    assert secret != new_secret()
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert parse_qs(address.query) == {"secret": [secret], "issuer": ["Quarterdeck"]}


# -- late words ---------------------------------------------------------------------------


async def late_confirm(house: House, code: str, who: Caller = BEN) -> Reply:
    """A yes that the platform took 61 s ago and delivers only now, while the question is open."""
    said = Message(who, f"/confirm {code}", house.clock.now() - timedelta(seconds=61))
    return checked(await house.dispatcher.handle(said))


async def test_a_late_yes_to_what_loosens_is_refused() -> None:
    house = House()
    await house.say("/stop")
    await house.say("/resume")

    late = await late_confirm(house, "7K3Q")

    reads(
        late,
        "✕ /confirm was said 1 min ago, too late to act on. Nothing was sent.\n"
        "[Ask again: /resume]",
    )
    assert not any(what[0] == "resume" for what in house.desk.asked)


async def test_a_late_yes_to_what_makes_safer_counts_while_the_question_is_open() -> None:
    house = House()
    await house.say("/flatten")

    await late_confirm(house, "7K3Q")

    assert [what[0] for what in house.desk.asked] == ["flatten"]


async def test_only_who_was_asked_can_spend_digits(house: GuardedHouse) -> None:
    await house.asked_to_resume()

    reply = await house.say(f"/confirm 7K3Q {house.digits()}", CLEO)

    assert reply.title == "✕ Only ben may confirm. Nothing was sent."
    assert not house.resumed
