"""What keeps records in a database has in common: threads that wait for it, and what it refuses."""
