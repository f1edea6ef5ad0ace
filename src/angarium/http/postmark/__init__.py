"""Postmark's API, served: its table of routes, what a call may touch, and the handlers, which word what lies below."""
