"""From a submission to a durable message: checks, options, quota, copies."""
