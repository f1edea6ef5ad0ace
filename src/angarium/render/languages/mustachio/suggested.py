"""A model that a template could be rendered with, made of what it asks for (postmark.md §6.2)."""

from typing import Any

from angarium.render.languages.mustachio.nodes import Block, EachTag, SectionTag, ValueTag
from angarium.render.languages.mustachio.paths import UP


class _Wanted:
    """What is asked of one place in the model: members of an object, items of a list, or a plain value."""

    def __init__(self, name: str, parent: "_Wanted | None") -> None:
        self.name = name
        self.parent = parent
        self.members: dict[str, _Wanted] = {}
        self.item: _Wanted | None = None

    def at(self, steps: tuple[str, ...]) -> "_Wanted":
        place = self
        for step in steps:
            place = (place.parent or place) if step == UP else place.member(step)
        return place

    def member(self, name: str) -> "_Wanted":
        return self.members.setdefault(name, _Wanted(name, self))

    def items(self) -> "_Wanted":
        self.item = self.item or _Wanted(self.name, self)
        return self.item

    def model(self) -> Any:
        if self.item is not None:
            return self._list(self.item)
        if self.members:
            return {name: wanted.model() for name, wanted in self.members.items()}
        return f"{self.name}_Value"

    def _list(self, item: "_Wanted") -> list[Any]:
        if item.members or item.item:
            return [item.model()]
        return [f"{self.name}_{number}" for number in (1, 2, 3)]


def suggested_model(nodes: Block) -> dict[str, Any]:
    """Return an object that has a value for all that *nodes* ask for."""
    root = _Wanted("", None)
    _gather(nodes, root)
    return {name: wanted.model() for name, wanted in root.members.items()}


def _gather(nodes: Block, scope: _Wanted) -> None:
    for node in nodes:
        match node:
            case ValueTag(steps):
                scope.at(steps)
            case SectionTag(steps, _, inside):
                _gather(inside, scope.at(steps))
            case EachTag(steps, inside):
                _gather(inside, scope.at(steps).items())
