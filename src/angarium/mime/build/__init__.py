"""Messages made from fields. Any text goes in; what comes out is ASCII but for addresses that are not."""
