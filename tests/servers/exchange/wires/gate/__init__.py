"""Gate, API v4: spot, and USDT-margined perpetuals, counted in contracts."""
