"""The process that tells webhooks, and how the supervisor keeps it."""
