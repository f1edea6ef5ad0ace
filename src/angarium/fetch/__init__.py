"""What goes out by HTTP: one guarded fetcher for all that is told where to send, or whence to get, by somebody else."""
