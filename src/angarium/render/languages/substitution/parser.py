"""From tags to a tree, by the grammar of sparkpost.md §3. All that is wrong is told at once, but of what cannot be read
the first."""

from typing import Final

from angarium.render.languages.blocks import Blocks
from angarium.render.languages.escaping import (
    NO_ESCAPE,
    Context,
    Escape,
    header_text,
    html_text_substitution,
    url_part,
)
from angarium.render.languages.expressions import Constant, ExpressionParser
from angarium.render.languages.nodes import ChoiceNode, PrintedNode, TextNode
from angarium.render.languages.output import DEEPEST
from angarium.render.languages.pieces import TagPiece, TagPieces
from angarium.render.languages.problem import Places, TemplatePlace, TemplateProblem
from angarium.render.languages.substitution.nodes import (
    CURLY,
    DynamicNode,
    EachNode,
    IsEmpty,
    ListedPath,
    Nodes,
    SnippetNode,
    SubstitutionNode,
    Valued,
    is_dynamic,
)
from angarium.render.languages.substitution.operators import OPERATORS, is_true, printed
from angarium.render.languages.substitution.scope import DYNAMIC, SubstitutionScope
from angarium.render.languages.substitution.tags import (
    SubstitutionTag,
    TextRun,
    read_tags,
    without_statement_lines,
)

RESERVED: Final = frozenset(
    {
        "address", "email", "email_id", "env_from", "return_path", "and", "break", "do", "else", "elseif", "end",
        "false", "for", "function", "if", "in", "local", "nil", "not", "or", "each", "repeat", "return", "then",
        "true", "until", "while",
    }
)  # fmt: skip
"""Names that a sender cannot give a value to (sparkpost.md §3)."""

_CONSTANTS: Final = {"true": True, "false": False, "nil": None}
_WORDS: Final = RESERVED - {"address", "email", "email_id", "env_from", "return_path"}
_ESCAPES: Final[dict[Context, Escape]] = {
    "html": html_text_substitution,
    "text": NO_ESCAPE,
    "header": header_text,
}
_FUNCTIONS: Final = ("empty", "render_dynamic_content", "render_snippet", *CURLY)


def parse_substitution(text: str, context: Context) -> Nodes:
    """Return the tree of *text*. Raises TemplateProblems."""
    places = Places(text)
    return SubstitutionParser(context).parse(without_statement_lines(read_tags(text, places)))


class _OpenStatement:
    """A block that is not closed yet: an `if` with its branches so far, or an `each`."""

    def __init__(self, tag: SubstitutionTag) -> None:
        self.tag = tag
        self.branches: list[tuple[Valued, Nodes]] = []
        self.items: Valued = Constant(None)
        self.name = ""
        self.inside: list[SubstitutionNode] = []
        self.has_else = False

    def begin(self, condition: Valued | None) -> None:
        """Begin another branch; None: the last one, `else`."""
        self.inside = []
        if condition is None:
            self.has_else = True
        else:
            self.branches.append((condition, self.inside))

    @property
    def place(self) -> TemplatePlace:
        """See OpenBlock."""
        return self.tag.pieces.place(self.tag.pieces.first)

    def never_ended(self) -> TemplateProblem:
        """See OpenBlock."""
        word = self.tag.statement
        return TemplateProblem(self.place, f"this {word} is never ended", "write {{ end }}", word)

    def closed(self) -> SubstitutionNode:
        """Return the node of the whole block."""
        if self.tag.statement == "each":
            return EachNode(self.items, self.name, self.inside, self.place)
        return ChoiceNode(self.branches, self.inside if self.has_else else (), is_true, self.place)


class SubstitutionParser:
    """Builds the tree of one template in the substitution language. Used once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._blocks: Blocks[SubstitutionNode, _OpenStatement] = Blocks()
        self._expressions: ExpressionParser[SubstitutionScope] = ExpressionParser(OPERATORS, self._primary)

    def parse(self, runs: list[TextRun | SubstitutionTag]) -> Nodes:
        """Go through text and tags. Raises TemplateProblems."""
        return self._blocks.gather(runs, self._taken)

    def _taken(self, run: TextRun | SubstitutionTag) -> None:
        if isinstance(run, SubstitutionTag):
            self._take(run)
        elif run.text:
            self._blocks.add(TextNode(run.text))

    def _take(self, tag: SubstitutionTag) -> None:
        match tag.statement:
            case "":
                self._expression(tag)
            case "if" | "each":
                self._begin(tag)
            case "end":
                self._end(tag.pieces)
            case _:
                self._branch(tag.pieces)

    def _expression(self, tag: SubstitutionTag) -> None:
        pieces = tag.pieces
        called = pieces.first if pieces.first.text in ("render_dynamic_content", "render_snippet") else None
        self._blocks.add(self._call(pieces) if called else self._printed(tag))
        pieces.expect_end()

    def _printed(self, tag: SubstitutionTag) -> SubstitutionNode:
        first = tag.pieces.first
        if first.text in CURLY:
            return self._curly(tag.pieces)
        escape = _ESCAPES[self._context]
        if tag.is_raw:
            escape = header_text if self._context == "header" else NO_ESCAPE
        elif tag.in_link and self._context != "header":
            escape = url_part
        return PrintedNode(self._expressions.parse(tag.pieces), printed, escape, tag.pieces.place(first))

    def _curly(self, pieces: TagPieces) -> SubstitutionNode:
        name = pieces.take()
        pieces.expect("(")
        pieces.expect(")")
        return TextNode(CURLY[name.text])

    def _call(self, pieces: TagPieces) -> SubstitutionNode:
        name = pieces.take()
        pieces.expect("(")
        argument = self._expressions.in_brackets(pieces, ")")
        if name.text == "render_snippet":
            return SnippetNode(argument, pieces.place(name))
        if isinstance(argument, ListedPath) and is_dynamic(argument):
            return DynamicNode(argument, pieces.place(name))
        raise pieces.problem("this is no dynamic content", f"write {name.text}({DYNAMIC[0]}.name)", name)

    def _begin(self, tag: SubstitutionTag) -> None:
        pieces, block = tag.pieces, _OpenStatement(tag)
        if self._blocks.is_too_deep:
            raise pieces.problem(f"blocks stand in one another more than {DEEPEST} deep", piece=pieces.first)
        # Opened also when it is wrong, so that its end is not told to be one too many.
        self._blocks.open.append(block)
        pieces.take()
        if tag.statement == "if":
            block.begin(self._condition(pieces))
            return
        block.items = self._expressions.parse(pieces)
        block.name = _list_name(block.items)
        pieces.accept("do")
        pieces.expect_end()

    def _condition(self, pieces: TagPieces) -> Valued:
        condition = self._expressions.parse(pieces)
        pieces.accept("then")
        pieces.expect_end()
        return condition

    def _branch(self, pieces: TagPieces) -> None:
        word = pieces.take()
        block = self._blocks.innermost
        if block is None or block.tag.statement != "if" or block.has_else:
            raise pieces.problem(f"{word.text} stands in no if", "begin with {{ if … }}", word)
        block.begin(self._condition(pieces) if word.text == "elseif" else None)
        pieces.expect_end()

    def _end(self, pieces: TagPieces) -> None:
        word = pieces.take()
        pieces.expect_end()
        if self._blocks.innermost is None:
            raise pieces.problem("nothing is open that this end could close", piece=word)
        self._blocks.close()

    def _primary(self, pieces: TagPieces) -> Valued:
        piece = pieces.take()
        if piece.kind in ("number", "string"):
            return Constant(piece.value)
        if piece.text == "(":
            return self._expressions.in_brackets(pieces, ")")
        if piece.kind != "name":
            raise pieces.problem("a value is missing here", piece=piece)
        if piece.text in _CONSTANTS:
            return Constant(_CONSTANTS[piece.text])
        if piece.text in _WORDS:
            raise pieces.problem(
                f"{piece.text} is a word of the language", "give the value another name", piece
            )
        if pieces.accept("("):
            return self._function(piece, pieces)
        return self._path(piece, pieces)

    def _function(self, name: TagPiece, pieces: TagPieces) -> Valued:
        if name.text == "empty":
            return IsEmpty(self._expressions.in_brackets(pieces, ")"))
        if name.text in CURLY:
            pieces.expect(")")
            return Constant(CURLY[name.text])
        if name.text in _FUNCTIONS:
            raise pieces.problem(
                f"{name.text} stands in a tag of its own", f"write {{{{ {name.text}(…) }}}}", name
            )
        raise pieces.problem(f"there is no function {name.text}", f"there are {', '.join(_FUNCTIONS)}", name)

    def _path(self, name: TagPiece, pieces: TagPieces) -> ListedPath:
        keys: list[Valued] = []
        while mark := pieces.accept(".", "["):
            if mark.text == "[":
                keys.append(self._expressions.in_brackets(pieces, "]"))
                continue
            member = pieces.take()
            if member.kind != "name":
                raise pieces.problem(
                    "a name is missing after the dot", "write a['b c'] for other names", member
                )
            keys.append(Constant(member.text))
        return ListedPath(name.text, keys)


def _list_name(items: Valued) -> str:
    """Return how `loop_vars` knows a list: by the last name of its path."""
    if not isinstance(items, ListedPath):
        return ""
    named = [
        key.constant for key in items.keys if isinstance(key, Constant) and isinstance(key.constant, str)
    ]
    return named[-1] if named else items.name
