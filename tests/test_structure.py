"""The shape of the source tree: arrows point down, no circles, a class in one file under a name of its own, folders.

One test per rule; a failure lists all that break it.
"""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import angarium
from angarium.core.catalogue.logs import COMMON, RECORDS
from angarium.core.log import LEVELS
from angarium.core.records import EventType

ROOT = Path(angarium.__file__).parent
ARCHITECTURE = Path(__file__).parents[1] / "docs/architecture.md"

FLOORS = {
    "core": 0,
    "config": 1,
    "smtp": 1,
    "mime": 1,
    "sql": 1,
    "dns": 2,
    "tls": 2,
    "query": 1,
    "dialects": 2,
    "render": 2,
    "queue": 3,
    "spool": 3,
    "identity": 3,
    "assets": 3,
    "fetch": 3,
    "events": 3,
    "suppressions": 3,
    "engine": 4,
    "backup": 4,
    "submission": 5,
    "delivery": 5,
    "feedback": 5,
    "webhooks": 5,
    "http": 6,
    "documentation": 6,
    "dashboard": 6,
    "sendmail": 6,
    "node": 7,
    "cli": 7,
    "testing": 8,  # used by nothing of the product but `angarium sink`
}

SIDEWAYS = {
    ("queue", "angarium.spool.port"),  # the queue asks for a spool and does not know which
    ("identity", "angarium.suppressions.store"),  # its database has their tables, too
    ("identity", "angarium.assets.store"),  # and those of what senders keep
    ("identity", "angarium.fetch.target"),  # a URL is read in one way only
    ("documentation", "angarium.http.api"),  # the endpoints have pages
    ("documentation", "angarium.http.manage"),
    ("webhooks", "angarium.feedback.vendors"),  # bounces are told in the words of vendors
    ("dashboard", "angarium.http.api"),  # a page shows what the API's handlers answer
    ("dashboard", "angarium.http.manage"),
    ("dashboard", "angarium.documentation"),
    ("cli", "angarium.node"),  # `angarium serve` starts the node
    ("cli", "angarium.testing.sink"),  # `angarium sink`
}

MODULES = sorted(ROOT.rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            # `from angarium import smtp` is an import of the room
            yield from (f"{node.module}.{name.name}" for name in node.names)


def may_import(room: str, imported: str) -> bool:
    other = imported.split(".")[1]
    if other == room or other not in FLOORS:  # own room, or `angarium.__version__`
        return True
    if any(room == who and f"{imported}.".startswith(f"{what}.") for who, what in SIDEWAYS):
        return True
    return FLOORS[other] < FLOORS[room] and other != "testing"


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in MODULES if path.parent != ROOT}
    assert rooms <= FLOORS.keys()


def test_the_page_on_architecture_has_every_room_on_its_floor() -> None:
    rows = dict(re.findall(r"^\| (\d|–) \| (.*) \|$", ARCHITECTURE.read_text(), re.MULTILINE))
    floors = {room: "–" if room == "testing" else str(floor) for room, floor in FLOORS.items()}
    assert [room for room, floor in floors.items() if f"`{room}`" not in rows.get(floor, "")] == []


def test_imports_point_down() -> None:
    ours = [
        (path, name)
        for path in MODULES
        if path.parent != ROOT
        for name in imports_of(path)
        if name.startswith("angarium.")
    ]
    wrong = [f"{shown(path)}: {name}" for path, name in ours if not may_import(room_of(path), name)]
    assert wrong == []


EMBEDDED = ("disk", "embedded", "files", "offline", "sqlite")
"""What in the spool is of the engine that it comes with, and not above the ports that any engine gives."""


def test_what_is_promised_of_a_partition_knows_no_engine() -> None:
    """So that a second engine is a folder more."""
    spool = ROOT / "spool"
    above = [
        path
        for path in MODULES
        if path.is_relative_to(spool) and path.relative_to(spool).parts[0].removesuffix(".py") not in EMBEDDED
    ]
    engines = ("sqlite3.", *(f"angarium.spool.{name}." for name in EMBEDDED))
    found = [
        f"{shown(path)}: {name}"
        for path in above
        for name in imports_of(path)
        if f"{name}.".startswith(engines)
    ]
    assert found == []
    assert len(above) > 20


def imports_at_import(path: Path) -> Iterator[str]:
    """What a module names outside its functions, for types only or not."""

    def visit(nodes: Iterable[ast.AST]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{name.name}" for name in node.names)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from visit(ast.iter_child_nodes(node))

    return visit([tree_of(path)])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def import_circles() -> list[set[str]]:
    """The sets of modules that import each other, directly or by way of others."""
    names = {name_of(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        named = (name if name in names else name.rpartition(".")[0] for name in imports_at_import(path))
        graph[name_of(path)] = {name for name in named if name in names}
    for name in graph:  # what is reached in any number of steps, by Warshall
        for reached in graph.values():
            if name in reached:
                reached |= graph[name]
    circles = {frozenset(each for each in reached if name in graph[each]) for name, reached in graph.items()}
    return [set(circle) for circle in circles if circle]


def test_no_modules_import_each_other() -> None:
    """Not for types either: two that name each other are one thing, or one says what it needs of the other."""
    assert import_circles() == []


MOST_LINES = 650


def test_modules_stay_readable() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def crowded_words(folder: Path) -> list[str]:
    """The words with which several modules of a folder begin that should be a folder: three `store_…`, or two beside
    what is called `store` itself.
    """
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    words = [name.partition("_")[0] for name in names if "_" in name.strip("_")]
    return sorted({word for word in words if words.count(word) + (word in names) >= 3})


def test_folders_before_prefixes() -> None:
    crowded = {shown(folder): crowded_words(folder) for folder in {path.parent for path in MODULES}}
    assert {name: words for name, words in crowded.items() if words} == {}


def public_without_docstring(tree: ast.Module) -> Iterator[str]:
    if tree.body and ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("_") and ast.get_docstring(node) is None:
            yield node.name


def test_what_is_public_is_explained() -> None:
    missing = {shown(path): list(public_without_docstring(tree_of(path))) for path in MODULES}
    assert {name: what for name, what in missing.items() if what} == {}


def test_a_class_has_a_name_of_its_own() -> None:
    """So that a name says which class is meant, in the code, a log, and a conversation."""
    places = defaultdict(list)
    for path in MODULES:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(shown(path))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


@cache
def all_classes() -> list[type]:
    paths = [path.relative_to(ROOT.parent).with_suffix("") for path in MODULES]
    names = [
        ".".join(path.parts) for path in paths if "migrations" not in path.parts
    ]  # alembic's, not importable
    modules = [importlib.import_module(name.removesuffix(".__init__")) for name in names]
    found = [(module, each) for module in modules for each in vars(module).values()]
    return [each for module, each in found if isinstance(each, type) and each.__module__ == module.__name__]


def is_fit_for_a_base(base: type) -> bool:
    """Whether it is another's class, a Protocol, an error, or has two heirs."""
    if base.__module__.split(".")[0] != "angarium" or issubclass(base, BaseException):
        return True
    return getattr(base, "_is_protocol", False) or sum(base in each.__bases__ for each in all_classes()) >= 2


def test_a_class_stands_in_one_file() -> None:
    """What is one thing is composed, not inherited piece by piece."""
    bases = [(each.__qualname__, base) for each in all_classes() for base in each.__bases__]
    assert [f"{name}({base.__qualname__})" for name, base in bases if not is_fit_for_a_base(base)] == []


RECORDS_NAMED_ELSEWHERE = {
    "engine/record.py": set(get_args(EventType)) - {"received"},
    "sql/outage.py": {
        *("identity_outage", "identity_outage_over", "suppressions_outage", "suppressions_outage_over"),
    },
    "submission/session/login.py": {"auth", "auth_failed"},
}
"""Modules that log records whose names they are given, and those names."""


class LoggingCall(NamedTuple):
    """A call that logs: the literal name of its record, None for another expression, and the fields it names."""

    place: str
    level: str
    event: str | None
    fields: frozenset[str]


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def logging_calls() -> Iterator[LoggingCall]:
    for path in MODULES:
        if path == ROOT / "core/log.py" or path.is_relative_to(ROOT / "testing"):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                yield from as_logging(node, f"{shown(path)}:{node.lineno}")


def as_logging(call: ast.Call, place: str) -> Iterator[LoggingCall]:
    function = call.func
    fields = frozenset(keyword.arg for keyword in call.keywords if keyword.arg is not None)
    if isinstance(function, ast.Name) and function.id == "say" and len(call.args) == 2:
        yield LoggingCall(place, "", literal(call.args[0]), fields)
    if not isinstance(function, ast.Attribute) or not ast.unparse(function.value).endswith("log"):
        return
    if function.attr == "fault":
        yield LoggingCall(place, "error", "bug", fields)
    elif function.attr == "add":
        yield LoggingCall(place, str(literal(call.args[0])), literal(call.args[1]), fields)
    elif function.attr in LEVELS:
        yield LoggingCall(place, function.attr, literal(call.args[0]), fields)


def faults_of_logging(call: LoggingCall) -> Iterator[str]:
    if call.event is None:
        if call.place.partition(":")[0] not in RECORDS_NAMED_ELSEWHERE:
            yield f"{call.place}: the name of the record is not written there"
    elif call.event not in RECORDS:
        yield f"{call.place}: {call.event} is not in core/catalogue/logs.py"
    else:
        described = RECORDS[call.event]
        yield from (
            f"{call.place}: {call.event} has no field {field}"
            for field in sorted(call.fields - {*described.fields, *COMMON})
        )
        if call.level and call.level not in described.levels:
            yield f"{call.place}: {call.event} is not described for level {call.level}"


def test_what_is_logged_is_described_in_the_catalogue() -> None:
    calls = list(logging_calls())
    assert len(calls) > 50
    assert [fault for call in calls for fault in faults_of_logging(call)] == []
    logged = {call.event for call in calls}.union(*RECORDS_NAMED_ELSEWHERE.values())
    assert RECORDS.keys() - logged == set()


def test_each_branch_of_migrations_is_one_line() -> None:
    """Two that were made side by side have one number, or follow the same one: then no database can be made."""
    said = re.compile(r'^(revision|down_revision) = "?(\w+)"?$', re.MULTILINE)
    for folder in ROOT.glob("*/store/migrations"):
        steps = [dict(said.findall(path.read_text())) for path in sorted(folder.glob("*.py"))]
        line = ["None", *(step["revision"] for step in steps)]
        assert [step["down_revision"] for step in steps] == line[:-1], folder.parent.parent.name
        assert len(set(line)) == len(line), folder.parent.parent.name
