"""What looks after the desk itself: its loop, clock, chats, figures, rules, and the ping."""
