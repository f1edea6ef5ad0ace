"""The receiving side of SMTP, without a socket: bytes in, replies and questions to the handler out."""
