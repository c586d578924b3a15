"""Looks for the settings of a strategy, and tells how much of what it found is luck.

The span is walked forward: settings are chosen on one window (in sample) and measured on the one
after it (out of sample), which the choice has not seen.  What is measured is the backtest itself.
"""
