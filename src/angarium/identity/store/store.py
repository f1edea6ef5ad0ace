"""The identity store: who may send. Blocking; from an event loop call it in a thread.

Every method that changes something takes *actor*, who does it for the audit log, runs in one transaction, and has
reached the disk when it returns. What can go wrong is in `identity.errors`.
"""

from angarium.identity.store.accounts import Accounts, Servers
from angarium.identity.store.credentials import Credentials
from angarium.identity.store.domains import Domains
from angarium.identity.store.people import Audit, People
from angarium.identity.store.rotation import Rotation
from angarium.identity.store.streams import Streams


class Store(Accounts, Servers, Streams, People, Credentials, Domains, Rotation, Audit):
    """`Store(engine, ring, now)`: an engine of `identity.store.engine` that is migrated, the node's keys, a clock.

    Listings are pages by rising id: `after` is the last id of the page before. Threads may share a store.
    """
