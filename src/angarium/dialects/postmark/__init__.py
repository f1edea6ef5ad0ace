"""The words of Postmark."""
