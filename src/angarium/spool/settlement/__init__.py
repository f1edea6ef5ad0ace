"""The way of mail from the journal to the settled store, and back into memory."""
