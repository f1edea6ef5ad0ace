"""The manage API: how much mail went where, and how it fared."""
