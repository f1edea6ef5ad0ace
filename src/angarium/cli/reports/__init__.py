"""`angarium report`."""
