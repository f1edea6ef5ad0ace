"""Pages made from the code, one for each option, event, metric and endpoint."""
