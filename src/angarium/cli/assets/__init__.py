"""Commands for what senders keep: templates, snippets, lists of recipients."""
