"""Angarium, a self-hosted sending platform for email."""

__version__ = "0.1.0"
