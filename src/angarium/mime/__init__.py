"""Message text: header blocks and trace lines, delivery reports, conversion to 7 bit. Pure."""
