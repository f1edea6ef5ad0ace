"""Texts of messages, kept for as long as whoever sent them has asked for."""
