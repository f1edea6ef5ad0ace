"""Who must not get mail: the ledger of what suppresses, and a check that costs a worker microseconds."""
