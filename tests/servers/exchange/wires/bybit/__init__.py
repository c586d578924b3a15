"""Bybit, API v5: spot, and USDT linear perpetuals, of a unified account."""
