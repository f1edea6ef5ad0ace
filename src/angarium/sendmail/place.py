"""Where the node of this machine takes mail of its users, as a configuration says."""

import os
from pathlib import Path
from typing import NamedTuple

from angarium.config.load import load_config
from angarium.config.model import Config
from angarium.config.problems import ConfigErrors
from angarium.config.values import ListenAddress, join_host_port
from angarium.sendmail.errors import SendmailError

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class BadPlace(SendmailError):
    """The configuration cannot be read."""

    status = os.EX_CONFIG


class SubmissionPlace(NamedTuple):
    """*address* is a path or HOST:PORT, None where none takes mail without a login; *drop* the drop folder, or None."""

    address: str | None
    drop: Path | None


def place_of(config: Config) -> SubmissionPlace:
    """Return where mail is taken without a login: by a Unix socket rather than by an address of loopback."""
    found = [
        address
        for listener in config.listeners
        for address in listener.listens
        if _takes_users(config, listener.name, address)
    ]
    found.sort(key=lambda address: not address.path)
    return SubmissionPlace(_text(found[0]) if found else None, config.globals.drop_directory)


def _takes_users(config: Config, listener: str, address: ListenAddress) -> bool:
    options = config.listen_options(listener, address.name)
    needs_login = config.inbound(listener, address.name, "").require_authentication
    return options.enable and not options.use_ssl and not needs_login


def read_place(path: Path | None) -> SubmissionPlace:
    """Return what the file *path* says, or what holds without one. Raises BadPlace."""
    try:
        return place_of(load_config(path))
    except ConfigErrors as errors:
        raise BadPlace(f"the configuration has problems: {errors.problems[0]}") from errors


def _text(address: ListenAddress) -> str:
    return (
        str(address.path)
        if address.path
        else join_host_port(_ANY.get(address.host, address.host), address.port)
    )
