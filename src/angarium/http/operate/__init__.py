"""What operators ask of the node over its socket: queues, recipients, messages, actions, live views, configuration."""
