"""Smart-money structure over the whole panel, each part in its own file, all of it causal.

`swings` (confirmed turning points), `breaks` (of structure: BOS and CHoCH), `blocks` (order
blocks), `gaps` (fair value gaps), `liquidity` (extremes and sweeps).  Underneath: `zones` (price
ranges that stand until touched) and `panels` (missing bars, windows).
"""
