"""Names to records: a stub resolver with a bounded cache and deadlines. Answers are values."""
