"""One connection per account, shared by whoever trades there or takes prices from there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from chatbot.settings import Settings
from chatbot.settings.trading import CcxtFeed, CcxtVenueSettings, ExchangeSettings
from trading.clocks import Clock
from trading.venues.ccxt.weights import Budgets

if TYPE_CHECKING:  # what speaks to exchanges loads where there is one: a paper desk starts sooner
    from trading.venues.ccxt.connection import ApiAccess, Connection


class Connections:
    """One connection per account, made when first asked for; nothing is opened here.

    A feed takes the connection of an account at the same place, if there is one: markets are read
    once.  Requests are counted together wherever they come from: exchanges count by address.
    """

    def __init__(self, settings: Settings, clock: Clock, *, budgets: Budgets | None = None) -> None:
        """*budgets*: of others at the same address, who count together with these."""
        self._clock = clock
        self._budgets = budgets or Budgets(clock=clock)
        self._made: dict[tuple[object, ...], Connection] = {}
        used = {trader.venue for trader in settings.traders.values() if trader.enabled}
        venues = (section for name, section in settings.venues.items() if name in used)
        self._accounts = [section for section in venues if isinstance(section, CcxtVenueSettings)]

    def of_account(self, section: CcxtVenueSettings) -> Connection:
        from trading.venues.ccxt.connection import ApiAccess

        access = ApiAccess(
            key=_plain(section.key),
            secret=_plain(section.secret),
            password=_plain(section.passphrase),
        )
        return self._of(section, access)

    def of_prices(self, section: CcxtFeed) -> Connection:
        from trading.venues.ccxt.connection import ApiAccess

        account = next((a for a in self._accounts if _place(a) == _place(section)), None)
        return self.of_account(account) if account else self._of(section, ApiAccess())

    def _of(self, section: ExchangeSettings, access: ApiAccess) -> Connection:
        from trading.venues.ccxt.connection import Connection

        account = (*_place(section), access.key)
        if account not in self._made:
            self._made[account] = Connection(
                exchange=section.offer,
                access=access,
                clock=self._clock,
                url=section.url or "",
                ws_url=section.ws_url or "",
                sandbox=section.sandbox,
                budgets=self._budgets,
            )
        return self._made[account]


def _place(section: ExchangeSettings) -> Sequence[object]:
    return (section.exchange, section.market, section.sandbox, section.url, section.ws_url)


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
