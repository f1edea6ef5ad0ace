"""Templates: what they say, whether they are good, and what they make of some data."""
