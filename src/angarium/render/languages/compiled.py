"""Templates of all languages, compiled once, rendered for each recipient."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from threading import Lock
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from angarium.core.bounded import Bounded
from angarium.core.fields import Language
from angarium.render.languages.escaping import Context
from angarium.render.languages.mustachio import nodes as mustachio
from angarium.render.languages.mustachio.parser import parse_mustachio
from angarium.render.languages.mustachio.paths import ModelScope
from angarium.render.languages.nodes import render_all
from angarium.render.languages.output import BOUNDS, LONGEST, Output, RenderBounds
from angarium.render.languages.problem import TemplatePlace, TemplateProblem, TemplateProblems
from angarium.render.languages.smarty import nodes as smarty
from angarium.render.languages.smarty.parser import parse_smarty
from angarium.render.languages.substitution import nodes as substitution
from angarium.render.languages.substitution.parser import parse_substitution
from angarium.render.languages.substitution.scope import SubstitutionScope
from angarium.render.languages.values import Value

Data = Mapping[str, Value]

_KEPT_CHARACTERS: Final = 16_000_000
_KEPT: Final = 2_000


class TemplateSurroundings(NamedTuple):
    """What a template may name besides its data; the substitution language alone does. *shared* is what the sender has
    given for all recipients, in which dynamic content stands; *snippet* finds the text of a snippet's part by its id.
    """

    shared: Data = MappingProxyType({})
    snippet: Callable[[str], str | None] = lambda name: None


ALONE: Final = TemplateSurroundings()


class Template(Protocol):
    """A template that was compiled. It may be rendered by several threads at a time."""

    @property
    def warnings(self) -> Sequence[TemplateProblem]:
        """What is odd in it, and does no harm."""
        ...

    def render(
        self, data: Data, surroundings: TemplateSurroundings = ALONE, bounds: RenderBounds = BOUNDS
    ) -> str:
        """Return what *data* makes of it. Raises TemplateFailure; nothing of it is to be sent then."""
        ...


class MustachioTemplate:
    """A template in Mustachio."""

    def __init__(self, text: str, context: Context, is_strict: bool) -> None:
        self.nodes = parse_mustachio(text, context, is_strict=is_strict)
        self.warnings: list[TemplateProblem] = []

    def render(
        self, data: Data, surroundings: TemplateSurroundings = ALONE, bounds: RenderBounds = BOUNDS
    ) -> str:
        """Return what *data* makes of it. Raises TemplateFailure."""
        output = Output(bounds)
        mustachio.render_all(self.nodes, ModelScope(data), output)
        return output.text()


class SubstitutionTemplate:
    """A template in the substitution language."""

    def __init__(self, text: str, context: Context, is_strict: bool) -> None:
        self.nodes = parse_substitution(text, context)
        self._context = context
        self._is_strict = is_strict
        self.warnings: list[TemplateProblem] = []

    def render(
        self, data: Data, surroundings: TemplateSurroundings = ALONE, bounds: RenderBounds = BOUNDS
    ) -> str:
        """Return what *data* makes of it. Raises TemplateFailure, also for a snippet that is not there or no good."""
        output = Output(bounds)
        scope = SubstitutionScope(
            data, output, surroundings.shared, surroundings.snippet, self._compile, self._is_strict
        )
        render_all(self.nodes, scope)
        return output.text()

    def _compile(self, text: str) -> substitution.Nodes:
        template = compile_template("substitution", text, self._context, is_strict=self._is_strict)
        assert isinstance(template, SubstitutionTemplate)
        return template.nodes


class SmartyTemplate:
    """A template in the personalisation language."""

    def __init__(self, text: str, context: Context, is_strict: bool) -> None:
        self.nodes, self.warnings = parse_smarty(text, context)
        self._is_strict = is_strict

    def render(
        self, data: Data, surroundings: TemplateSurroundings = ALONE, bounds: RenderBounds = BOUNDS
    ) -> str:
        """Return what *data* makes of it. Raises TemplateFailure."""
        output = Output(bounds)
        render_all(self.nodes, smarty.SmartyScope(data, output, self._is_strict))
        return output.text()


_LANGUAGES: Final[dict[Language, Callable[[str, Context, bool], Template]]] = {
    "mustachio": MustachioTemplate,
    "substitution": SubstitutionTemplate,
    "smarty": SmartyTemplate,
}


class TemplateCache:
    """Keeps what was compiled, up to so many *characters* of text."""

    def __init__(self, characters: int = _KEPT_CHARACTERS) -> None:
        self._characters = characters
        self._held = 0
        self._kept: Bounded[bytes, tuple[Template, int]] = Bounded(_KEPT)
        self._lock = Lock()

    def get(self, key: bytes) -> Template | None:
        """Return what is kept under *key*, or None."""
        with self._lock:
            found = self._kept.get(key)
        return found[0] if found else None

    def put(self, key: bytes, template: Template, size: int) -> None:
        """Keep it; all is forgotten when there is no room left."""
        with self._lock:
            if self._held + size > self._characters:
                self._kept.clear()
                self._held = 0
            self._kept.put(key, (template, size))
            self._held += size


_CACHE: Final = TemplateCache()


def compile_template(language: Language, text: str, context: Context, *, is_strict: bool = False) -> Template:
    """Return *text* compiled; the same text is compiled once. *is_strict*: a value that is not in the data fails, where
    it is written; else nothing is written for it. Raises TemplateProblems.
    """
    if len(text) > LONGEST:
        problem = f"this template has {len(text):,} characters; {LONGEST:,} are the most"
        raise TemplateProblems([TemplateProblem(TemplatePlace(1, 1), problem)])
    key = blake2b(f"{language} {context} {is_strict} {text}".encode("utf-8", "surrogatepass"), digest_size=16)
    template = _CACHE.get(key.digest())
    if template is None:
        template = _LANGUAGES[language](text, context, is_strict)
        _CACHE.put(key.digest(), template, len(text))
    return template
