"""What came of the trading: the sums, ratios and drawdown of a period.  Pure.

Money is exact; ratios are floats.  A day is the desk's: it begins at 00:00 in its zone.  A trade
belongs to the day in which it closed.  Equity read at 00:00 sharp ends the day before: it is the
close of the bar that ended then.

`Stats` counts closed trades, after fees.  `Period` tells the change of equity, open profit
included, as the report at the end of each day does.  Deposits are not known here, and count as
profit.

`tally.py` sums trades, `daybook.py` keeps the days, `ratios.py` has the formulas, `summary.py`
puts a period together.
"""
