"""How accounts, servers, credentials and domains are shown: as rows, as lines, and as records for --json. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from angarium.cli.tables import Column, Row
from angarium.cli.times import when
from angarium.core.options import Options, as_mapping
from angarium.identity.limits import Limits
from angarium.identity.records import Account, Change, Credential, Domain, DomainKey, Person, Server, Stream

ACCOUNT_COLUMNS = (
    Column("ID", numeric=True),
    Column("NAME", flexible=True),
    Column("STATE"),
    Column("LIMITS", flexible=True, yields=True),
)
SERVER_COLUMNS = (
    Column("ID", numeric=True),
    Column("ACCOUNT", numeric=True),
    Column("NAME", flexible=True),
    Column("STATE"),
    Column("LIMITS", flexible=True, yields=True),
)
STREAM_COLUMNS = (
    Column("ID"),
    Column("SERVER", numeric=True),
    Column("KIND"),
    Column("STATE"),
    Column("NAME", flexible=True),
)
PERSON_COLUMNS = (
    Column("ID", numeric=True),
    Column("ACCOUNT", numeric=True),
    Column("EMAIL", flexible=True),
    Column("STATE"),
    Column("LAST USE", yields=True),
    Column("NAME", flexible=True),
)
CREDENTIAL_COLUMNS = (
    Column("ID", numeric=True),
    Column("KIND"),
    Column("ACCOUNT", numeric=True),
    Column("SERVER", numeric=True),
    Column("STREAM", flexible=True),
    Column("USER NAME", flexible=True),
    Column("STATE"),
    Column("EXPIRES", yields=True),
    Column("LAST USE", yields=True),
    Column("LABEL", flexible=True),
)
DOMAIN_COLUMNS = (
    Column("ID", numeric=True),
    Column("ACCOUNT", numeric=True),
    Column("DOMAIN", flexible=True),
    Column("STATE"),
    Column("CHECKED", yields=True),
    Column("KEYS", flexible=True, yields=True),
)
KEY_COLUMNS = (
    Column("ID", numeric=True),
    Column("SELECTOR", flexible=True),
    Column("ALGORITHM"),
    Column("STATE"),
    Column("MADE", yields=True),
    Column("SEEN", yields=True),
)
CHANGE_COLUMNS = (
    Column("ID", numeric=True),
    Column("AT"),
    Column("ACTOR", flexible=True),
    Column("ACTION"),
    Column("WHAT", flexible=True),
)


def record(value: Any) -> Any:
    """Return a record for --json: options by name; what prints it makes dates of the times."""
    if isinstance(value, Options):
        return as_mapping(value)
    if isinstance(value, msgspec.Struct):
        return {name: record(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [record(item) for item in value]
    return value


def lines(value: msgspec.Struct, now: float) -> list[str]:
    """Return a record as lines of `name  value`, for `show`."""
    names = value.__struct_fields__
    width = max(map(len, names)) + 2
    return [f"{name.ljust(width)}{_told(name, getattr(value, name), now)}" for name in names]


def _told(name: str, value: Any, now: float) -> str:
    if name.endswith("_at"):
        return when(value, now)
    if isinstance(value, Limits):
        return limits_text(value)
    if isinstance(value, Options):
        return settings_text(as_mapping(value))
    if name == "keys":
        return str(len(value))
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else str(value)


def limits_text(limits: Limits) -> str:
    """Return limits on one line."""
    fields = msgspec.structs.asdict(limits)
    if limits.rate is not None:
        fields["rate"] = f"{limits.rate.count}/{limits.rate.seconds}"
    return settings_text({name: value for name, value in fields.items() if value is not None})


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings on one line, as they are written behind --set."""
    return " ".join(f"{name}={_value(value)}" for name, value in settings.items()) or "-"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def account_row(account: Account) -> Row:
    """Return an account as a row of `ACCOUNT_COLUMNS`."""
    return Row([str(account.id), account.name, _suspended(account.suspended), limits_text(account.limits)])


def server_row(server: Server) -> Row:
    """Return a server as a row of `SERVER_COLUMNS`."""
    state = _suspended(server.suspended) + ("" if server.smtp else ", no SMTP")
    return Row([str(server.id), str(server.account), server.name, state, limits_text(server.limits)])


def stream_row(stream: Stream) -> Row:
    """Return a stream as a row of `STREAM_COLUMNS`."""
    state = "in use" if stream.archived_at is None else "archived"
    details = [stream.description] if stream.description else []
    return Row([stream.id, str(stream.server), stream.kind, state, stream.name], details)


def person_row(person: Person, now: float) -> Row:
    """Return a person as a row of `PERSON_COLUMNS`."""
    used = when(person.last_used_at, now)
    return Row(
        [str(person.id), str(person.account), person.email, _enabled(person.enabled), used, person.name]
    )


def credential_row(credential: Credential, now: float) -> Row:
    """Return a credential as a row of `CREDENTIAL_COLUMNS`."""
    expired = credential.expires_at is not None and credential.expires_at <= now
    cells = [
        str(credential.id),
        credential.kind,
        str(credential.account),
        "-" if credential.server is None else str(credential.server),
        credential.stream or "-",
        credential.username or (f"{credential.short}…" if credential.short else "-"),
        "expired" if expired else _enabled(credential.enabled),
        "never" if credential.expires_at is None else when(credential.expires_at, now),
        when(credential.last_used_at, now),
        credential.label,
    ]
    details = [f"grants {' '.join(credential.grants)}"] if credential.grants else []
    details += [f"from {' '.join(credential.networks)}"] if credential.networks else []
    said = as_mapping(credential.options)
    return Row(cells, details + ([settings_text(said)] if said else []))


def domain_row(domain: Domain, now: float) -> Row:
    """Return a domain as a row of `DOMAIN_COLUMNS`."""
    state = "not verified" if domain.verified_at is None else "verified"
    keys = ", ".join(f"{key.selector} {key.algorithm} {key.state}" for key in domain.keys)
    cells = [str(domain.id), str(domain.account), domain.name, state if domain.enabled else "disabled"]
    return Row([*cells, when(domain.checked_at, now), keys])


def key_row(key: DomainKey, now: float) -> Row:
    """Return a signing key as a row of `KEY_COLUMNS`."""
    made, seen = when(key.created_at, now), when(key.verified_at, now)
    return Row([str(key.id), key.selector, key.algorithm, key.state, made, seen])


def change_row(change: Change, now: float) -> Row:
    """Return an entry of the audit log as a row of `CHANGE_COLUMNS`."""
    details = [settings_text(change.details)] if change.details else []
    return Row([str(change.id), when(change.at, now), change.actor, change.action, change.what], details)


def _suspended(suspended: bool) -> str:
    return "suspended" if suspended else "active"


def _enabled(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"
