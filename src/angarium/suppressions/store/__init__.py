"""The truth about suppressions, in the database of the identity store."""
