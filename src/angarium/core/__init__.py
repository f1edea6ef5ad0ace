"""What every floor speaks of: ids, records, events, errors, the clock. Imports nothing of the others."""
