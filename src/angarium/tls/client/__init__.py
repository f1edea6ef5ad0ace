"""Of connections that go out: what is wanted, how it is tried, and what a handshake has shown."""
