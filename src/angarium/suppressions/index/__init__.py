"""What workers look at for each recipient: a file that all of them map, and what has changed since."""
