"""What senders keep here: templates, layouts, snippets, and lists of recipients."""
