"""Where the event store is, and what it is opened with."""

from pathlib import Path
from typing import Protocol

from angarium.config.model import Config
from angarium.events.port import EventStore, Judge
from angarium.events.rollups.port import CountedEvents
from angarium.events.sqlite.store import SqliteEventStore


class WholeEventStore(EventStore, CountedEvents, Protocol):
    """An event store that can be counted, too: each that is opened here is one."""


def events_folder(data: Path) -> Path:
    """Return the folder in the data folder that the event store has, whether it is SQLite's or not."""
    return data / "events"


def texts_folder(data: Path) -> Path:
    """Return the folder in the data folder that kept texts of mail are in, wherever the event store is."""
    return data / "texts"


def erasures_folder(data: Path) -> Path:
    """Return the folder in the data folder for requests to erase somebody."""
    return data / "erasures"


def has_events(config: Config, data: Path) -> bool:
    """Whether there is, or will be, an event store to be asked."""
    return config.globals.event_database is not None or events_folder(data).is_dir()


def open_event_store(config: Config, data: Path, judge: Judge = lambda event: "") -> WholeEventStore:
    """Return the store in `Event_Database`, or SQLite in the data folder, which is made when it is not there. Raises
    EventStoreError when it cannot be. *judge* is for what is taken.
    """
    url = config.globals.event_database
    if url is None:
        return SqliteEventStore(events_folder(data), judge)
    from angarium.events.postgres.store import PostgresEventStore  # and the driver, for those who use it

    return PostgresEventStore(url.value, judge)
