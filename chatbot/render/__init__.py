"""How a Reply looks, for each kind of face."""
