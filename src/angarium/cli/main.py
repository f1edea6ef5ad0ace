"""The `angarium` command."""


def main() -> None:
    """Run the command line."""
