"""Managing webhooks."""
