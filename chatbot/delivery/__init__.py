"""How what happens reaches the chats that asked for it."""
