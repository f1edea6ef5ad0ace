"""A field of an account, server, stream or person is described in its record, and nowhere else."""

from pathlib import Path
from typing import Annotated, Any, Literal

import click
import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select

from angarium.cli.identity.options import field_options
from angarium.cli.main import main
from angarium.http.api.decoding import decode_body
from angarium.http.api.endpoint import Api, Endpoint
from angarium.http.api.openapi import document
from angarium.http.api.problem import HttpProblem
from angarium.http.manage import bodies, views
from angarium.http.manage.described import showing, taking
from angarium.identity import checks
from angarium.identity.docs import fields_page, section
from angarium.identity.fields import About, checks_of, fields_of, sayable
from angarium.identity.limits import OF_ACCOUNTS, Limits
from angarium.identity.records import Account, Person, Server, Stream
from angarium.identity.store import schema
from angarium.identity.store.columns import columns_of
from angarium.sql.errors import Invalid
from angarium.sql.rows import columns, record_of

RECORDS = [Account, Server, Stream, Person]
TABLES = {"Account": "accounts", "Server": "servers", "Stream": "streams", "Person": "people"}
BESIDE = {"account", "password"}
"""What bodies take besides the fields: whose the thing is, and what is kept as a hash only."""


class Painted(Server, frozen=True):
    """A server with one field more."""

    colour: Annotated[
        Literal["red", "green"],
        About(
            help="What it is painted.",
            check=checks.one_of("red", "green"),
            new=True,
            change="Another paint.",
            longest=10,
        ),
    ] = "red"


@taking(Painted, "new", bodies.within)
class PaintedNew(bodies.Body):
    """A new one."""


@showing(Painted, views.within)
class PaintedView(msgspec.Struct, frozen=True):
    """One that there is."""


class TestOneFieldMore:
    def test_is_checked(self) -> None:
        assert checks_of(Painted, "new")["colour"]("colour", "green") == "green"
        with pytest.raises(Invalid, match="colour: write red or green"):
            checks_of(Painted, "change")["colour"]("colour", "blue")

    def test_is_kept(self) -> None:
        without_owner = [item for item in columns_of(Painted) if getattr(item, "name", "") != "account"]
        table = Table("painted", MetaData(), Column("account", Integer), *without_owner)
        made = Painted(1, 2, "shop", 3.0, colour="green")
        with create_engine("sqlite://").begin() as connection:
            table.create(connection)
            connection.execute(insert(table).values(columns(msgspec.structs.asdict(made))))
            assert record_of(connection.execute(select(table)).mappings().one(), Painted) == made

    @pytest.mark.parametrize(("when", "help"), [("new", "What it is painted."), ("change", "Another paint.")])
    def test_is_an_option_of_the_command_line(self, when: Any, help: str) -> None:
        @click.command()
        @field_options(Painted, when)
        def paint(**given: Any) -> None:
            click.echo(given["colour"])

        assert CliRunner().invoke(paint, ["--colour", "red"]).output == "red\n"
        assert CliRunner().invoke(paint, ["--colour", "blue"]).exit_code == 2
        text = CliRunner().invoke(paint, ["--help"]).output
        assert " ".join(text.split()).find(f"--colour [red|green] {help}") > 0

    def test_is_taken_by_the_api_and_shown(self) -> None:
        body = decode_body(b'{"name": "shop", "colour": "green"}', PaintedNew)
        assert bodies.said(body) == {"name": "shop", "colour": "green"}
        with pytest.raises(HttpProblem) as caught:
            decode_body(b'{"name": "shop", "colour": "blue"}', PaintedNew)
        assert caught.value.errors[0].pointer == "/colour"
        shown = msgspec.json.decode(
            msgspec.json.encode(views.view(PaintedView, Painted(1, 2, "a", 3.0, colour="green")))
        )
        assert shown["colour"] == "green"

    def test_is_in_the_document_of_the_api(self) -> None:
        def paint(call: Any, body: PaintedNew) -> PaintedView:
            """Paint."""
            raise NotImplementedError

        api = Api("/p", (Endpoint("POST", "/p", paint, None),), "P", "1", "")
        found = document(api)["components"]["schemas"]
        assert found["PaintedNew"]["properties"]["colour"] == {"enum": ["green", "red"]}
        assert found["PaintedView"]["properties"]["colour"] == {"enum": ["green", "red"]}

    def test_is_on_the_page(self) -> None:
        line = "| `colour` | `red`, `green` | new, change | What it is painted. |"
        assert line in section("Painted", Painted).splitlines()


def test_the_page_is_made_from_the_records() -> None:
    page = (Path(__file__).parents[2] / "docs" / "identity-fields.md").read_text()
    assert page == fields_page(), "run: python -m angarium.identity.docs > docs/identity-fields.md"


def test_every_field_is_explained() -> None:
    for record in (*RECORDS, Limits):
        assert all(field.about.help.endswith(".") for field in fields_of(record).values())


@pytest.mark.parametrize("record", RECORDS)
def test_tables_bodies_and_views_have_the_fields_of_the_record(record: type[msgspec.Struct]) -> None:
    name = record.__name__
    kept = set(schema.metadata.tables[TABLES[name]].c.keys())
    assert kept - BESIDE == set(fields_of(record)) - BESIDE
    assert getattr(views, f"{name}View").__struct_fields__ == record.__struct_fields__
    for when, suffix in (("new", "New"), ("change", "Change")):
        taken = set(getattr(bodies, name + suffix).__struct_fields__)
        assert taken - BESIDE == {field.name for field in sayable(record, when)}  # type: ignore[arg-type]


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(("when", "verb"), [("new", "create"), ("change", "change")])
def test_commands_have_an_option_for_each_field(record: type[msgspec.Struct], when: Any, verb: str) -> None:
    context = click.Context(main)
    group = main.get_command(context, TABLES[record.__name__])
    assert isinstance(group, click.Group)
    options = {param.name: param for param in group.commands[verb].params}
    for field in sayable(record, when):
        if field.kind is Limits:
            assert set(Limits.__struct_fields__) - set(field.about.without) <= options.keys()
            assert not field.about.without or set(OF_ACCOUNTS).isdisjoint(options)
        elif field.name == "options":
            assert "settings" in options
        elif said := field.about.option(when):
            assert getattr(options[field.name], "help", "") == said
