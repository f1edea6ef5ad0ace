"""The tables of templates, snippets and lists, the same for SQLite and PostgreSQL; they stand in the identity store's
database.

What a template says is a row of `template_versions`: one that is published, and one that is a draft, at most. The
recipients of a list are pages of `recipient_pages`, packed; those of an edition that is not current are nobody's, and
swept away in time.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    column,
    table,
)

metadata: Final = MetaData(
    naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)

ID: Final = BigInteger().with_variant(Integer, "sqlite")
_NUMBERS: Any = {"sqlite_autoincrement": True}

accounts = table("accounts", column("id"))
servers = table("servers", column("id"), column("account"))
"""Of the identity store; only read here."""

templates = Table(
    "templates",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", ID, nullable=False),  # foreign keys in the database: they go with account and server
    Column("server", ID),
    Column("scope", ID, nullable=False),  # the server, or 0: in it an alias is unique
    Column("alias", String(100)),  # NULL: none
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("language", String(20), nullable=False),
    Column("layout", ID),
    Column("draft", Integer),
    Column("published", Integer),
    Column("versions", Integer, nullable=False),  # how many numbers were given
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    UniqueConstraint("account", "scope", "alias"),
    Index("ix_templates_account", "account", "id"),
    Index("ix_templates_server", "server"),
    **_NUMBERS,
)

versions = Table(
    "template_versions",
    metadata,
    Column("template", ID, ForeignKey("templates.id", ondelete="CASCADE"), primary_key=True),
    Column("is_draft", Boolean, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("layout", ID, index=True),  # its own, beside what is within `content`
    Column("made_at", Float, nullable=False),
    Column("content", Text, nullable=False),  # `TemplateContent` as JSON
)

snippets = Table(
    "snippets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", ID, nullable=False),  # a foreign key in the database
    Column("alias", String(100), nullable=False),
    Column("name", Text, nullable=False),
    Column("html", Text),
    Column("text", Text),
    Column("amp", Text),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    UniqueConstraint("account", "alias"),
    **_NUMBERS,
)

lists = Table(
    "recipient_lists",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account", ID, nullable=False),  # a foreign key in the database
    Column("alias", String(100), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("edition", ID, nullable=False),  # 0: there never was anybody on it
    Column("count", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    UniqueConstraint("account", "alias"),
    **_NUMBERS,
)

editions = Table(
    "recipient_editions",
    metadata,
    Column("id", ID, primary_key=True),
    Column(
        "list", ID, nullable=False, index=True
    ),  # no foreign key: who is on it is taken away in small steps
    Column("state", String(10), nullable=False),  # loading, current, retired
    Column("count", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("changed_at", Float, nullable=False),
    **_NUMBERS,
)

pages = Table(
    "recipient_pages",
    metadata,
    Column("edition", ID, ForeignKey("recipient_editions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),  # from 0
    Column("count", Integer, nullable=False),
    Column("marks", LargeBinary, nullable=False),  # see `lists.pages`
    Column("content", LargeBinary, nullable=False),
)
