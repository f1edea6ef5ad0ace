"""What a template writes, within bounds: whoever writes a template is a stranger, and so is its data."""

from typing import Final, NamedTuple

from angarium.render.languages.problem import TemplateFailure, TemplatePlace


class RenderBounds(NamedTuple):
    """What one rendering may do: how many *steps* (pieces of the template, each time that they are passed), how many
    *characters* it may write.
    """

    steps: int = 200_000
    characters: int = 10_000_000


BOUNDS: Final = RenderBounds()

DEEPEST: Final = 50
"""So many blocks may stand in one another, and so many brackets in an expression."""

LONGEST: Final = 2_000_000
"""Characters of a template."""


class Output:
    """What has been written so far. Raises TemplateFailure where a bound is reached."""

    __slots__ = ("_characters", "_parts", "_steps")

    def __init__(self, bounds: RenderBounds = BOUNDS) -> None:
        self._parts: list[str] = []
        self._steps, self._characters = bounds

    def write(self, text: str) -> None:
        """Append *text*."""
        self.spend(len(text))
        self._parts.append(text)

    def step(self, place: TemplatePlace) -> None:
        """Count a step, made at *place*."""
        self._steps -= 1
        if self._steps < 0:
            raise TemplateFailure("this template takes too many steps: its loops go over too much", place)

    def spend(self, characters: int) -> None:
        """Count what is written, or made on the way to it."""
        self._characters -= characters
        if self._characters < 0:
            raise TemplateFailure("this template writes too much")

    def text(self) -> str:
        """Return all of it."""
        return "".join(self._parts)
