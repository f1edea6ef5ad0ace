"""The template languages. Each is compiled once, then rendered for each recipient, within bounds."""
