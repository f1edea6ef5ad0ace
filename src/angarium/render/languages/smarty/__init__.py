"""The personalisation language of SMTPeter, in the manner of Smarty (smtpeter.md §3.15)."""
