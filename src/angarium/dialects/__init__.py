"""What the vendors' words mean, one room a vendor. Pure."""
