"""The way of a message is drawn in docs/architecture.md by name, and the names are those of the code."""

import ast
import re
from pathlib import Path

import angarium

ROOT = Path(angarium.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
STEP = re.compile(r"^(\S+\.py) +([\w.]+)", re.MULTILINE)


def names_in(path: Path) -> set[str]:
    """Functions of a module, and methods with the class that they are of."""
    tree = ast.parse(path.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = {f"{each.name}.{node.name}" for each in classes for node in each.body if is_function(node)}
    return methods | {node.name for node in tree.body if is_function(node)}


def is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def test_each_step_is_where_the_page_says() -> None:
    steps = STEP.findall(PAGE.read_text())
    assert len(steps) > 30
    assert [f"{file} {name}" for file, name in steps if name not in names_in(ROOT / file)] == []
