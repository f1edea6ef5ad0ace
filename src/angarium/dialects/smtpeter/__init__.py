"""The words of SMTPeter."""
