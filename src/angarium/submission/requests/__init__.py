"""Mail that comes by request, of whatever dialect: many messages at once, each with its receipt."""
