"""The identity store: who may send. Blocking; from an event loop call it in a thread.

Every method that changes something takes *actor*, who does it for the audit log, runs in one transaction, and has
reached the disk when it returns. What can go wrong is in `sql.errors`.
"""

from collections.abc import Callable

from angarium.assets.store.lists import RecipientLists
from angarium.assets.store.ready import ReadyTemplates
from angarium.assets.store.snippets import Snippets
from angarium.assets.store.templates import Templates
from angarium.identity.secrets import KeyRing
from angarium.identity.store.accounts import Accounts
from angarium.identity.store.audit import AuditLog
from angarium.identity.store.credentials import Credentials
from angarium.identity.store.domains import Domains
from angarium.identity.store.erasures import ErasureAudit
from angarium.identity.store.people import People
from angarium.identity.store.rotation import SecretRotation
from angarium.identity.store.schema import CHANGES
from angarium.identity.store.servers import Servers
from angarium.identity.store.sessions import PageSessions
from angarium.identity.store.streams import MessageStreams
from angarium.identity.store.webhooks import Webhooks
from angarium.sql.changes import ChangeLog
from angarium.sql.database import Database
from angarium.suppressions.store.ledger import Suppressions
from angarium.suppressions.store.notebook import Notebook


class IdentityStore:
    """Each sort of thing under its name: `store.accounts`, `store.domains`, and so on.

    *database* has its tables, *ring* are the node's keys, *now* is the clock. Listings are pages by rising id: `after`
    is the last id of the page before. Threads may share a store.
    """

    def __init__(self, database: Database, ring: KeyRing, now: Callable[[], float]) -> None:
        log = ChangeLog(database, CHANGES, now)
        self.accounts = Accounts(log)
        self.servers = Servers(log)
        self.streams = MessageStreams(log)
        self.people = People(log)
        self.sessions = PageSessions(database, log)
        self.credentials = Credentials(log, ring)
        self.domains = Domains(log, ring)
        self.webhooks = Webhooks(log, ring)
        self.secrets = SecretRotation(log)
        self.suppressions = Suppressions(database, log, now)
        self.suppression_notes = Notebook(database, log, self.suppressions, now)
        self.templates = Templates(log)
        self.ready_templates = ReadyTemplates(log)
        self.snippets = Snippets(log)
        self.lists = RecipientLists(database, log, now)
        self.erasures = ErasureAudit(log, ring)
        self.audit = AuditLog(log)
        self.generation = log.generation
