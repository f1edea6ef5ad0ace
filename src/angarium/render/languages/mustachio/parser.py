"""From the text of a Mustachio template to its tree. All that is wrong with it is told at once."""

from typing import Final

from angarium.render.languages.blocks import Blocks
from angarium.render.languages.escaping import (
    NO_ESCAPE,
    Context,
    Escape,
    header_text,
    html_text_mustachio,
)
from angarium.render.languages.mustachio.nodes import (
    Block,
    EachTag,
    MustachioNode,
    MustachioText,
    SectionTag,
    ValueTag,
)
from angarium.render.languages.mustachio.paths import steps_of
from angarium.render.languages.mustachio.tokens import Tag, tags
from angarium.render.languages.output import DEEPEST
from angarium.render.languages.problem import (
    Places,
    TemplatePlace,
    TemplateProblem,
)

_ESCAPES: Final[dict[Context, Escape]] = {
    "html": html_text_mustachio,
    "text": NO_ESCAPE,
    "header": header_text,
}
_EACH: Final = "each"
_PATH_HINT: Final = "write names with dots between, such as {{person.name}}, and ../ for what is around"


def parse_mustachio(text: str, context: Context, *, is_strict: bool) -> Block:
    """Return the tree of *text*. *is_strict*: a value that is not in the data fails. Raises TemplateProblems."""
    return MustachioParser(text, context, is_strict).parse()


class _OpenSection:
    """A block that is not closed yet. *name* is its path, or `each`."""

    def __init__(self, tag: Tag, name: str, steps: tuple[str, ...], place: TemplatePlace) -> None:
        self.tag = tag
        self.name = name
        self.steps = steps
        self.place = place
        self.inside: list[MustachioNode] = []

    def never_ended(self) -> TemplateProblem:
        """See OpenBlock."""
        return TemplateProblem(
            self.place, "this block is never closed", f"write {{{{/{self.name}}}}}", self.name
        )

    def closed(self) -> MustachioNode:
        """Return the node of the whole block."""
        if self.tag.kind == "open_each":
            return EachTag(self.steps, self.inside, self.place, self.tag.path.strip())
        return SectionTag(self.steps, self.tag.kind == "open_not", self.inside, self.place, self.name)


class MustachioParser:
    """Builds the tree of one template in Mustachio. Used once."""

    def __init__(self, text: str, context: Context, is_strict: bool) -> None:
        self._text = text
        self._places = Places(text)
        self._escape = _ESCAPES[context]
        # In a header field nothing is raw: a line end in a value would begin another.
        self._raw = header_text if context == "header" else NO_ESCAPE
        self._is_strict = is_strict
        self._blocks: Blocks[MustachioNode, _OpenSection] = Blocks()

    def parse(self) -> Block:
        """Go through the tags. Raises TemplateProblems."""
        return self._blocks.gather(tags(self._text), self._take)

    def _take(self, tag: Tag) -> None:
        match tag.kind:
            case "text":
                self._blocks.add(MustachioText(tag.path))
            case "vendor":
                self._blocks.add(MustachioText(f"{{{{{{ {tag.path} }}}}}}"))
            case "value" | "raw":
                self._value(tag)
            case "open" | "open_not":
                self._section(tag)
            case "open_each":
                self._each(tag)
            case "close":
                self._close(tag)

    def _value(self, tag: Tag) -> None:
        path = tag.path or "."
        steps = self._steps(tag, path)
        escape = self._escape if tag.kind == "value" else self._raw
        self._blocks.add(ValueTag(steps, path, escape, self._places.at(tag.offset), self._is_strict))

    def _section(self, tag: Tag) -> None:
        """Open a block; where the innermost one has the same path, this is its other half."""
        innermost = self._blocks.innermost
        if innermost and innermost.name == tag.path and innermost.tag.kind != "open_each":
            self._blocks.close()
        self._push(tag, tag.path, self._steps(tag, tag.path))

    def _each(self, tag: Tag) -> None:
        if tag.path[:1] != " " or not tag.path.strip():
            self._wrong(tag, "each needs a path", "write {{#each path}}, with one blank between")
        self._push(tag, _EACH, self._steps(tag, tag.path.strip() or "."))

    def _push(self, tag: Tag, name: str, steps: tuple[str, ...]) -> None:
        if self._blocks.is_too_deep:
            self._wrong(tag, f"blocks stand in one another more than {DEEPEST} deep")
        self._blocks.open.append(_OpenSection(tag, name, steps, self._places.at(tag.offset)))

    def _close(self, tag: Tag) -> None:
        innermost = self._blocks.innermost
        if innermost is None:
            self._wrong(tag, f"nothing is open that {{{{/{tag.path}}}}} could close")
        elif innermost.name != tag.path:
            self._wrong(
                tag,
                f"{{{{/{tag.path}}}}} closes another block than the one that is open",
                f"close {innermost.name} of line {innermost.place.line} first",
            )
        else:
            self._blocks.close()

    def _steps(self, tag: Tag, path: str) -> tuple[str, ...]:
        steps = steps_of(path)
        if steps is None:
            self._wrong(tag, f"{path[:60]!r} is no path", _PATH_HINT)
        return steps or ()

    def _wrong(self, tag: Tag, problem: str, hint: str = "") -> None:
        end = self._text.find("}}", tag.offset) + 2
        place = self._places.at(tag.offset)
        self._blocks.problems.append(TemplateProblem(place, problem, hint, self._text[tag.offset : end][:80]))
