"""Lists of recipients: what is known of each, read from files, packed in pages."""
