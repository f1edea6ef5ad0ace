"""The commands that manage who may send. They open the identity store themselves, node or no node."""
