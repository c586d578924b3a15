"""What a person accepts of the difference between a trader's books and the venue's."""

from __future__ import annotations

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.accounts.views import Gap
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.errors import Refused
from trading.events import BalanceAccepted, OrdersAccepted
from trading.execution.evidence import Evidence
from trading.execution.reconcile import SMALLEST_DIFFERENCE
from trading.ports import Change, WritePriority
from trading.safety.account_reconciler import AccountReconciler


class Acceptance:
    def __init__(
        self,
        *,
        context: TraderContext,
        settings: SettingsInForce,
        books: AccountReconciler,
        evidence: Evidence,
        valuer: Valuer,
        recorder: Recorder,
    ) -> None:
        self._context = context
        self._settings = settings
        self._books = books
        self._evidence = evidence
        self._valuer = valuer
        self._recorder = recorder

    async def gap(self) -> Gap:
        """Compare now; return what differs, if a person may accept all of that.

        Raises `Refused` if it is not, or nothing does, and `VenueError`.
        """
        result = await self._books.compare()
        if result is None:
            raise Refused("The books cannot be compared now: orders are under way, or it starts")
        if not result.problems:
            raise Refused("The books equal the venue's, there is nothing to accept")
        if not result.only_acceptable:
            raise Refused(f"Not only the wallet differs: {result.problems[0]}")
        unproven = tuple(each.words for each in result.unproven)
        return Gap(ours=result.ours, venue=result.ours + result.gap, unproven=unproven)

    async def accept(self, shown: Gap, *, by: str, origin: str = "") -> Gap:
        """Take over the venue's wallet, if the gap is still the one that was *shown*.

        It is no profit and no loss: baselines and peak move alike.  *origin* is the chat that is
        answered.  Raises `Refused` and `VenueError`; nothing is changed then.
        """
        gap = await self.gap()
        if gap.unproven != shown.unproven:
            raise Refused("What is not proven has changed since you were asked; ask again")
        if abs(gap.amount - shown.amount) >= SMALLEST_DIFFERENCE:
            raise Refused(
                f"The difference has changed since you were asked: {gap.amount:.2f}, "
                f"not {shown.amount:.2f}"
            )
        if gap.amount:
            await self._accept_wallet(gap, by=by, origin=origin)
        if gap.unproven:
            await self._accept_unproven(gap, by=by, origin=origin)
        await self._books.hold("", origin=origin)
        return gap

    async def _accept_unproven(self, gap: Gap, *, by: str, origin: str) -> None:
        """From now on a stranger's: left alone, and nothing waits for it."""
        notes = (self._evidence.accept(),)
        told = OrdersAccepted(what=gap.unproven, by=by, origin=origin, **self._context.about())
        await self._recorder.keep(Change(notes=notes), WritePriority.FILL, told)

    async def _accept_wallet(self, gap: Gap, *, by: str, origin: str) -> None:
        account = self._valuer.ledger.account
        if min(account.peak, account.day_start, account.week_start) + gap.amount <= 0:
            raise Refused("Nothing would be left to measure losses from; begin anew with --fresh")
        account = self._valuer.ledger.move_balance(gap.amount)
        accepted = BalanceAccepted(
            amount=gap.amount, wallet=account.wallet, quote=self._settings.now.quote, by=by,
            origin=origin, **self._context.about(),
        )  # fmt: skip
        note = f"{gap.amount} {accepted.quote} at {accepted.at.isoformat()} by {by}"
        change = Change(
            accounts=(account,), notes=((f"balance_accepted:{self._context.name}", note),)
        )
        await self._recorder.keep(change, WritePriority.FILL, accepted)
        self._valuer.note(self._context.clock.now())
