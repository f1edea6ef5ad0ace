"""Orders as they are kept until all of their slices are in the queue."""
