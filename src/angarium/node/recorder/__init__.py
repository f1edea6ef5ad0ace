"""The process that reads the journals of all workers and keeps what has happened."""
