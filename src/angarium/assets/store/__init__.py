"""What is kept of them, in the database of the identity store."""
