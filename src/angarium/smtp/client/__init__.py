"""The sending side of SMTP and LMTP, without a socket: bytes and commands in, bytes and events out."""
