"""SASL mechanisms, both sides, without a socket (RFC 4422)."""
