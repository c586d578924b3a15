"""OKX, API v5: spot, and USDT-margined perpetual swaps, counted in contracts."""
