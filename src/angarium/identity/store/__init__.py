"""The identity store: its tables, and what is asked and changed of them."""
