"""`quarterdeck check`: would the desk start here, and what stands in its way."""
