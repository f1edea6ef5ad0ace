"""Domains are looked up again each day; with what is no longer found is no longer signed."""

import asyncio
from pathlib import Path

import pytest

from angarium.core.records import Fact
from angarium.dns.resolver import ResolverConfigError
from angarium.identity.domains.check import DomainReport, RecordCheck
from angarium.identity.domains.records import records_for
from angarium.identity.records import Domain
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.node.domain_watch import DUE_S, DomainWatch
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, text_of

ME = {"actor": "test"}


class Place:
    """A store with one verified domain, a DNS that says of every record what it is told to, and the watch."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.says, self.asked = ManualClock(1_800_000_000.0), "found", list[str]()
        database = open_database(f"sqlite:///{folder}/identity.db")
        database.migrate()
        self.store = IdentityStore(database, KeyRing.load_or_create(folder / "secrets.key"), self.clock.now)
        account = self.store.accounts.create("acme", **ME).id
        self.domain = self.store.domains.create(account, "acme.test", **ME).id
        self.log = kept_log()
        self.noted = list[Fact]()
        self.watch = DomainWatch(self.store, self.check, self.clock, self.log, self.noted.append)

    async def check(self, domain: Domain) -> DomainReport:
        self.asked.append(domain.name)
        records = records_for(domain, "mx.test")
        return DomainReport(domain.name, tuple(RecordCheck(each, self.says) for each in records))  # type: ignore[arg-type]

    def verify(self) -> None:
        keys = self.store.domains.get(self.domain).keys
        self.store.domains.mark_checked(self.domain, {key.id: True for key in keys}, self.clock.now())

    def a_day_later(self, says: str) -> list[str]:
        """Look again after a day, when the DNS *says* something; return who was asked about."""
        self.clock.at += DUE_S
        self.says, self.asked = says, []
        asyncio.run(self.watch.look())
        return self.asked

    @property
    def is_verified(self) -> bool:
        return self.store.domains.get(self.domain).verified_at is not None


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_domain_that_nobody_has_checked_is_left_alone(place: Place) -> None:
    assert place.a_day_later("found") == []


def test_a_record_that_is_gone_ends_the_signing_and_is_told(place: Place) -> None:
    place.verify()
    assert place.a_day_later("missing") == ["acme.test"]
    assert not place.is_verified
    assert '"verified":false' in text_of(place.log)


def test_a_return_path_that_leads_elsewhere_is_told_and_not_used(place: Place) -> None:
    place.verify()
    place.a_day_later("found")
    assert place.store.domains.get(place.domain).return_path_seen_at is not None
    place.a_day_later("wrong")
    assert place.store.domains.get(place.domain).return_path_seen_at is None
    assert '"return_path":"bounces.acme.test"' in text_of(place.log)


def test_a_record_that_is_back_begins_it_again(place: Place) -> None:
    place.verify()
    place.a_day_later("missing")
    place.a_day_later("found")
    assert place.is_verified


def test_a_silent_name_server_changes_nothing(place: Place) -> None:
    place.verify()
    assert place.a_day_later("unknown") == ["acme.test"]
    assert place.is_verified


def test_it_is_looked_up_once_a_day(place: Place) -> None:
    place.verify()
    place.a_day_later("found")
    place.asked = []
    asyncio.run(place.watch.look())
    assert place.asked == []


def test_a_disabled_domain_is_left_alone(place: Place) -> None:
    place.verify()
    place.store.domains.change(place.domain, enabled=False, **ME)
    assert place.a_day_later("found") == []


def test_a_dns_without_a_server_is_said_and_asked_again_the_next_time(place: Place) -> None:
    place.verify()
    place.clock.at += DUE_S

    async def no_server(domain: Domain) -> DomainReport:
        raise ResolverConfigError("/etc/resolv.conf names no server")

    asyncio.run(DomainWatch(place.store, no_server, place.clock, place.log).try_to_look())
    assert "names no server" in text_of(place.log)
    assert place.is_verified


def test_what_is_lost_and_found_is_written_down(place: Place) -> None:
    place.verify()
    place.a_day_later("found")
    assert place.noted == []
    place.a_day_later("missing")
    place.a_day_later("missing")
    (lost,) = place.noted
    account = place.store.domains.get(place.domain).account
    assert (lost.kind, lost.account, lost.fields["domain"]) == ("domain_lost", account, "acme.test")
    assert any(name.startswith("TXT ") and "_domainkey.acme.test" in name for name in lost.fields["missing"])
    place.a_day_later("found")
    assert [(fact.kind, fact.fields) for fact in place.noted[1:]] == [
        ("domain_found", {"domain": "acme.test"})
    ]
