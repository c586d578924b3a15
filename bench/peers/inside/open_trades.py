"""Write open trades into a database of freqtrade's: `python open_trades.py URL PRICE PAIR ...`.

By its own models, so that it goes on with them as with any that it opened itself.
"""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime, timedelta

AMOUNT, FEE = 0.1, 0.001


def main(url: str, price: float, pairs: list[str]) -> None:
    models = importlib.import_module("freqtrade.persistence")
    models.init_db(url)
    began = datetime.now(UTC) - timedelta(hours=2)
    for number, pair in enumerate(pairs):
        base, quote = pair.split("/")
        trade = models.Trade(
            pair=pair, base_currency=base, stake_currency=quote, exchange="binance",
            strategy="Scan", timeframe=60, is_open=True, is_short=False, leverage=1.0,
            open_rate=price, open_rate_requested=price, amount=AMOUNT, amount_requested=AMOUNT,
            stake_amount=price * AMOUNT, max_stake_amount=price * AMOUNT,
            open_trade_value=price * AMOUNT * (1 + FEE), fee_open=FEE, fee_close=FEE,
            fee_open_cost=price * AMOUNT * FEE, fee_open_currency=quote, open_date=began,
            amount_precision=5, price_precision=2, precision_mode=2, contract_size=1.0,
        )  # fmt: skip
        trade.adjust_stop_loss(price, -0.99, initial=True)
        trade.orders.append(
            models.Order(
                ft_order_side="buy", ft_pair=pair, ft_is_open=False, ft_amount=AMOUNT,
                ft_price=price, order_id=f"dry_run_buy_{pair}_{number}", status="closed",
                symbol=pair, order_type="limit", side="buy", price=price, average=price,
                amount=AMOUNT, filled=AMOUNT, remaining=0.0, cost=price * AMOUNT,
                order_date=began, order_filled_date=began,
            )
        )  # fmt: skip
        models.Trade.session.add(trade)
    models.Trade.commit()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
