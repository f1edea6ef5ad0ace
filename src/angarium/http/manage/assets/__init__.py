"""The manage API: templates, snippets, lists of recipients."""
