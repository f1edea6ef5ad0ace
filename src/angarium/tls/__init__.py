"""Encryption in both directions: certificates, contexts, policy, what is learnt of peers, what was negotiated."""

ENCRYPTION_BYTES = 262_144
"""What the event loop takes to read an encrypted connection with, as long as there is one."""
