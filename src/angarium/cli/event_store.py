"""The event store of a node, as commands open it: by themselves, node or no node."""

from pathlib import Path

from angarium.cli.identity.store import StorePlace, in_use
from angarium.cli.options import Failure, config_option
from angarium.cli.where import find_folder
from angarium.config.load import load_config
from angarium.events.place import WholeEventStore, has_events, open_event_store

events_config_option = config_option("Configuration file, which may say where the event store is.")


def open_events(data: Path | None, config: Path | None = None) -> WholeEventStore:
    """Return the event store of the node in *data*, None: in the folder that is found. Raises Failure when there is
    none, NoNode, and ConfigError.
    """
    folder = data or find_folder()
    store = events_of(folder, config)
    if store is None:
        raise Failure(f"there is no event store in {folder / 'events'}; a node makes one when it runs")
    return store


def events_of(folder: Path, config: Path | None = None) -> WholeEventStore | None:
    """Return the event store of the node in *folder*, as its configuration says; None where there is none."""
    loaded = load_config(in_use(StorePlace(config, folder)).config)
    return open_event_store(loaded, folder) if has_events(loaded, folder) else None
