"""Whoever guesses at logins is kept out, and who was right lately is not."""
