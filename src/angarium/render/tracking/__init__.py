"""Opens, clicks and the way out of a mailing: the addresses that tell of them, and where they are put."""
