"""What each page shows: a function of who asks and of what was asked, over the handlers of the manage API."""
