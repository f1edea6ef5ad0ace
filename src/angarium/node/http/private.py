"""Connections to the private sockets of a node."""

import asyncio
from pathlib import Path

from angarium.node.socket_path import short_name


async def connect_private(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the process that listens at *path*. Raises OSError when none does."""
    with short_name(path) as name:
        return await asyncio.open_unix_connection(name)
