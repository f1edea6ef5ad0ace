"""What reports say: how much of what, by whom and when. One function for pages, API, command line and export."""
