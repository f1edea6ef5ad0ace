"""The search language: what somebody types to find messages and events, read once, for whatever is looked through."""
