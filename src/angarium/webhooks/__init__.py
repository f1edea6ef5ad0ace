"""Telling accounts of what happens to their mail: cursors over the log of events, requests, retries, dead letters."""
