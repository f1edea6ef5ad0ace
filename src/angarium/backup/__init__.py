"""Copies of all that a node keeps, and a node made of one."""
