"""Orders are made into slices."""
