"""Who may send, as one worker knows it from the identity store."""
