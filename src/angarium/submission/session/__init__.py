"""The SMTP door: listening, and the sessions of those who come."""
