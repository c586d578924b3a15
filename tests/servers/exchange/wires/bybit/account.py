"""Bybit's private paths about the account: its kind, money, positions and leverage."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.entries import entries
from tests.servers.exchange.figures import DAY, plain
from tests.servers.exchange.paging import between, page
from tests.servers.exchange.wires.base import Ask, Said, Site
from tests.servers.exchange.wires.bybit import asking, ledger, rendering
from tests.servers.exchange.wires.bybit.words import malformed

Json = Any


class Account:
    """Each method is a path's."""

    def __init__(self, site: Site) -> None:
        self._engine = site.engine
        self.margin_status = 6
        """1 is a classic account's, 3 and more are unified ones'."""

    def positions(self, ask: Ask) -> Json:
        """A symbol's own (flat ones too), or all that are held in a coin."""
        asking.check_category(self._engine, ask)
        symbol = ask.text("symbol")
        if symbol:
            sides = ("LONG", "SHORT") if self._engine.hedge else ("BOTH",)
            found = [
                self._engine.position(asking.symbol_of(self._engine, ask), side) for side in sides
            ]
        elif ask.text("settleCoin") or ask.text("baseCoin"):
            found = [of for of in self._engine.positions() if of.amount]
        else:
            raise malformed("symbol or settleCoin")
        shown, cursor = page(found, ask.text("cursor"), asking.limit(ask, 20, 200))
        return asking.listed(
            self._engine,
            [rendering.position(self._engine, of) | {"avgPrice": plain(of.entry)} for of in shown],
            cursor,
        )

    def wallet(self, ask: Ask) -> Json:
        if ask.required("accountType") != "UNIFIED":
            raise Said(10001, "accountType only support UNIFIED.", 200)
        return {"list": [rendering.wallet(self._engine, ask.text("coin"))]}

    def fee_rate(self, ask: Ask) -> Json:
        only = ask.text("symbol")
        rates = {
            "takerFeeRate": plain(self._engine.taker_fee),
            "makerFeeRate": plain(self._engine.maker_fee),
        }
        named = [symbol for symbol in self._engine.listed if only in {"", symbol}]
        return {"list": [{"symbol": symbol, **rates} for symbol in named]}

    def info(self, _ask: Ask) -> Json:
        return {
            "marginMode": "REGULAR_MARGIN",
            "updatedTime": "1697078946000",
            "unifiedMarginStatus": self.margin_status,
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def api_key(self, ask: Ask) -> Json:
        assert ask.key is not None
        moves = ["AccountTransfer", "SubMemberTransfer"]
        trades = ask.key.spot or ask.key.futures
        return {
            "id": "13770661",
            "note": "desk",
            "apiKey": ask.key.key,
            "readOnly": 0 if trades else 1,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"] if ask.key.futures else [],
                "Spot": ["SpotTrade"] if ask.key.spot else [],
                "Wallet": [*moves, "Withdraw"] if ask.key.withdrawals else moves,
                "Options": [],
                "Derivatives": [],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 66,
            "expiredAt": "2028-12-22T07:20:25Z",
            "createdAt": "2022-10-16T02:24:40Z",
            "unified": 0,
            "uta": 1,
            "userID": 24617703,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        }

    def transactions(self, ask: Ask) -> Json:
        """The last day without times; seven days at most; 20 a page, 50 at most."""
        start, end = asking.span(self._engine, ask)
        if not ask.text("startTime") and not ask.text("endTime"):
            start = self._engine.now - DAY
        only, kind = ask.text("currency"), ask.text("type")
        booked = between(entries(self._engine), lambda entry: entry.time, start, end)
        listed = [ledger.transaction(self._engine, entry) for entry in reversed(booked)]
        listed = [
            line for line in listed if only in {"", line["currency"]} and kind in {"", line["type"]}
        ]
        shown, cursor = page(listed, ask.text("cursor"), asking.limit(ask, 20, 50))
        return {"list": shown, "nextPageCursor": cursor}

    def set_leverage(self, ask: Ask) -> Json:
        symbol, wanted = asking.symbol_of(self._engine, ask), int(ask.decimal("buyLeverage"))
        if self._engine.leverages[symbol] == wanted:
            raise Said(110043, "leverage not modified", 200)
        self._engine.set_leverage(symbol, wanted)
        return {}

    def switch_mode(self, ask: Ask) -> Json:
        """0 is one-way, 3 hedge; of this engine for all symbols at once."""
        asking.check_category(self._engine, ask)
        self._engine.set_hedge(ask.integer("mode") == 3)
        return {}

    def set_margin_mode(self, ask: Ask) -> Json:
        if ask.text("setMarginMode") != "REGULAR_MARGIN":
            raise Said(3400045, "Set margin mode failed", 200)
        return {"reasons": []}
