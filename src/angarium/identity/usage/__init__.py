"""Recipients counted against rates and quotas, exactly, by all workers together."""
