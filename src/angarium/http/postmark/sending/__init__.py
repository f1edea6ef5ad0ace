"""Sending as Postmark's clients do: from `/email` and what is below it to the door that all dialects share."""
