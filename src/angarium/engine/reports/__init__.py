"""What senders are told of their mail: whom, when, and the message that tells it."""
