"""Templates read for those who send, or try them. Blocking. Raises StoreError, and NotFound for what is not there."""

from collections.abc import Iterator

from sqlalchemy import Connection

from angarium.assets.store.snippets import snippets_named
from angarium.assets.store.templates import found_template, layout_of, version_of
from angarium.assets.templates.ready import ReadyTemplate, context_of, defaults_of, fields_of, parts_of
from angarium.assets.templates.records import StoredTemplate, TemplateContent, TemplateVersion
from angarium.core.fields import Fields
from angarium.render.languages.asked import asked_snippets
from angarium.render.languages.compiled import compile_template
from angarium.sql.changes import ChangeLog


def ready_template(
    connection: Connection, account: int, server: int | None, name: int | str, *, draft: bool = False
) -> ReadyTemplate:
    """Return what mail of *account* and *server* means by *name*, an id or an alias: what is published, or with *draft*
    the draft, and what is published where there is none. Raises NotFound.
    """
    template = found_template(connection, account, server, name)
    version = version_of(connection, template, draft=None if draft else False)
    return ready_version(connection, template, version)


class ReadyTemplates:
    """Reads templates that are to be tried."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def of(self, template: StoredTemplate, *, draft: bool | None = None) -> ReadyTemplate:
        """Return a version of *template*: the draft, or what is published; None: the newest."""
        with self._log.reading() as connection:
            return ready_version(connection, template, version_of(connection, template, draft=draft))

    def tried(self, account: int, content: TemplateContent) -> ReadyTemplate:
        """Return what a template of *account* would be that said *content*, which is good."""
        template = StoredTemplate(id=0, account=account, name="", created_at=0.0, changed_at=0.0)
        with self._log.reading() as connection:
            return ready_version(connection, template, TemplateVersion(0, True, 0.0, content))


def ready_version(
    connection: Connection, template: StoredTemplate, version: TemplateVersion
) -> ReadyTemplate:
    """Return one version of a template, with its layout and its snippets as they are now."""
    content = version.content
    fields = fields_of(content, layout_of(connection, content))
    names = set(_asked(fields) if content.language == "substitution" else ())
    return ReadyTemplate(
        id=template.id,
        account=template.account,
        server=template.server,
        alias=template.alias,
        name=template.name,
        version=version.number,
        is_draft=version.is_draft,
        fields=fields,
        language=content.language,
        is_strict=content.missing == "strict",
        defaults=defaults_of(content),
        snippets=snippets_named(connection, template.account, names),
        options=content.options,
    )


def _asked(fields: Fields) -> Iterator[str]:
    """Yield the names of the snippets in a template of the substitution language; no other has any."""
    for part, text in parts_of(fields):
        if "render_snippet" not in text:
            continue
        for asked in asked_snippets(compile_template("substitution", text, context_of(part))):
            if asked.name is not None:
                yield asked.name
