"""A partition read without its writer: checked, and its unfinished mail taken out."""
