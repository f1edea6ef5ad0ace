"""Of sessions that come in: which certificate a client is shown, the own one, and new files noticed."""
