"""What the product says of itself: each metric and each record of the log, described once."""
