"""From tags to a tree, by the grammar of smtpeter.md §3.15.

All that is wrong is told at once, but of what cannot be read the first.
"""

from typing import Final

from angarium.core.suggest import closest
from angarium.render.languages.blocks import Blocks
from angarium.render.languages.escaping import NO_ESCAPE, Context, header_text
from angarium.render.languages.expressions import Altered, Constant, ExpressionParser
from angarium.render.languages.nodes import ChoiceNode, PrintedNode, TextNode
from angarium.render.languages.output import DEEPEST
from angarium.render.languages.pieces import TagPiece, TagPieces
from angarium.render.languages.problem import (
    Places,
    TemplatePlace,
    TemplateProblem,
)
from angarium.render.languages.smarty.modifiers import MODIFIERS, MOST_ARGUMENTS
from angarium.render.languages.smarty.nodes import (
    AssignNode,
    ForeachNode,
    Hash,
    Modified,
    NamedPath,
    Nodes,
    SmartyNode,
    SmartyScope,
    Valued,
)
from angarium.render.languages.smarty.operators import OPERATORS, is_true, printed
from angarium.render.languages.smarty.tags import SmartyTag, read_tags

_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_ENDS: Final = {"if": ("endif", "{/if}"), "foreach": ("endforeach", "{/foreach}")}


def parse_smarty(text: str, context: Context) -> tuple[Nodes, list[TemplateProblem]]:
    """Return the tree of *text*, and what is odd in it but does no harm. Raises TemplateProblems."""
    parser = SmartyParser(Places(text), context)
    return parser.parse(text), parser.warnings


class _OpenStatement:
    """A block that is not closed yet: an `if` with its branches so far, or a `foreach`."""

    def __init__(self, statement: str, place: TemplatePlace) -> None:
        self.statement = statement
        self.place = place
        self.branches: list[tuple[Valued, Nodes]] = []
        self.items: Valued = Constant(None)
        self.key = ""
        self.item = ""
        self.first: list[SmartyNode] = []
        self.inside = self.first
        self.has_else = False

    def begin(self, condition: Valued | None) -> None:
        """Begin another branch; None: the last one."""
        self.inside = []
        if condition is None:
            self.has_else = True
        else:
            self.branches.append((condition, self.inside))

    def never_ended(self) -> TemplateProblem:
        """See OpenBlock."""
        hint = f"write {_ENDS[self.statement][1]}"
        return TemplateProblem(self.place, f"this {self.statement} is never ended", hint)

    def closed(self) -> SmartyNode:
        """Return the node of the whole block."""
        otherwise = self.inside if self.has_else else ()
        if self.statement == "if":
            return ChoiceNode(self.branches, otherwise, is_true, self.place)
        return ForeachNode(self.items, self.key, self.item, self.first, otherwise, self.place)


class SmartyParser:
    """Builds the tree of one template in the personalisation language. Used once."""

    def __init__(self, places: Places, context: Context) -> None:
        self._places = places
        # The language escapes nothing by itself; but no value begins another header field.
        self._escape = header_text if context == "header" else NO_ESCAPE
        self._blocks: Blocks[SmartyNode, _OpenStatement] = Blocks()
        self._expressions: ExpressionParser[SmartyScope] = ExpressionParser(OPERATORS, self._primary)
        self.warnings: list[TemplateProblem] = []

    def parse(self, text: str) -> Nodes:
        """Go through the tags. Raises TemplateProblems."""
        return self._blocks.gather(read_tags(text, self._places), self._taken)

    def _taken(self, found: str | SmartyTag) -> None:
        if isinstance(found, str):
            self._blocks.add(TextNode(found))
        else:
            self._take(found)

    def _take(self, tag: SmartyTag) -> None:
        place, pieces = self._places.at(tag.offset), tag.pieces
        match tag.statement:
            case "":
                self._blocks.add(self._value(pieces, place))
            case "hash":
                hashed = self._with_modifiers(self._hash(pieces, place), pieces)
                self._blocks.add(PrintedNode(hashed, printed, self._escape, place))
            case "assign":
                self._blocks.add(self._assign(pieces, place))
            case "if" | "foreach":
                self._begin(tag.statement, pieces, place)
            case "elseif" | "else" | "foreachelse":
                self._branch(tag.statement, pieces)
            case _:
                self._end(tag.statement, pieces)
        pieces.expect_end()

    def _value(self, pieces: TagPieces, place: TemplatePlace) -> SmartyNode:
        expression = self._expressions.parse(pieces)
        if not (isinstance(expression, NamedPath) and not expression.keys and pieces.accept("=")):
            return PrintedNode(expression, printed, self._escape, place)
        return AssignNode(expression.name, self._expressions.parse(pieces), place)

    def _assign(self, pieces: TagPieces, place: TemplatePlace) -> SmartyNode:
        expression = self._expressions.parse(pieces)
        pieces.expect("to")
        return AssignNode(self._name(pieces), expression, place)

    def _begin(self, statement: str, pieces: TagPieces, place: TemplatePlace) -> None:
        if self._blocks.is_too_deep:
            raise pieces.problem(f"blocks stand in one another more than {DEEPEST} deep")
        # Opened also when it is wrong, so that its end is not told to be one too many.
        block = _OpenStatement(statement, place)
        self._blocks.open.append(block)
        if statement == "if":
            block.begin(self._expressions.parse(pieces))
        else:
            self._loop(block, pieces)

    def _loop(self, block: _OpenStatement, pieces: TagPieces) -> None:
        """`$item in $list`, `$list as $item`, `$list as $key => $item`."""
        first = pieces.peek()
        block.items = self._expressions.parse(pieces)
        if pieces.accept("in"):
            if not isinstance(block.items, NamedPath) or block.items.keys:
                raise pieces.problem("a name is missing", "write {foreach $item in $list}", first)
            block.item, block.items = block.items.name, self._expressions.parse(pieces)
            return
        pieces.expect("as")
        block.item = self._name(pieces)
        if pieces.accept("=>"):
            block.key, block.item = block.item, self._name(pieces)

    def _branch(self, statement: str, pieces: TagPieces) -> None:
        block = self._blocks.innermost
        belongs = "foreach" if statement == "foreachelse" else "if"
        if block is None or block.statement != belongs or block.has_else:
            raise pieces.problem(
                f"{statement} stands in no {belongs}", f"begin with {{{belongs} …}}", pieces.first
            )
        block.begin(self._expressions.parse(pieces) if statement == "elseif" else None)

    def _end(self, statement: str, pieces: TagPieces) -> None:
        block = self._blocks.innermost
        if block is None:
            raise pieces.problem("nothing is open that this end could close", piece=pieces.first)
        word, written = _ENDS[block.statement]
        if word != statement:
            hint = f"write {written} for that of line {block.place.line} first"
            raise pieces.problem("this closes another block than the one that is open", hint, pieces.first)
        self._blocks.close()

    def _name(self, pieces: TagPieces) -> str:
        piece = pieces.take()
        if piece.kind != "name" or not piece.text.startswith("$"):
            raise pieces.problem("a name is missing", "write $name", piece)
        return piece.text[1:]

    def _primary(self, pieces: TagPieces) -> Valued:
        return self._with_modifiers(self._unmodified(pieces), pieces)

    def _with_modifiers(self, value: Valued, pieces: TagPieces) -> Valued:
        while bar := pieces.accept("|"):
            value = self._modified(value, bar, pieces)
        return value

    def _unmodified(self, pieces: TagPieces) -> Valued:
        piece = pieces.take()
        if piece.kind in ("number", "string"):
            return Constant(piece.value)
        if piece.text == "(":
            return self._expressions.in_brackets(pieces, ")")
        if piece.kind != "name":
            raise pieces.problem("a value is missing here", piece=piece)
        if piece.text.startswith("$"):
            return self._path(piece.text[1:], pieces)
        if piece.text.lower() in _CONSTANTS:
            return Constant(_CONSTANTS[piece.text.lower()])
        if piece.text == "hash":
            return self._hash(pieces, pieces.place(piece))
        raise pieces.problem(f"{piece.text[:40]!r} is no value", f"write ${piece.text[:40]}", piece)

    def _path(self, name: str, pieces: TagPieces) -> NamedPath:
        keys: list[Valued] = []
        while mark := pieces.accept(".", "["):
            if mark.text == "[":
                keys.append(self._expressions.in_brackets(pieces, "]"))
                continue
            member = pieces.take()
            if member.kind not in ("name", "number") or member.text.startswith("$"):
                raise pieces.problem(
                    "a name is missing after the dot", "write $a[$b] for a name in a value", member
                )
            keys.append(Constant(member.text))
        return NamedPath(name, keys)

    def _hash(self, pieces: TagPieces, place: TemplatePlace) -> Valued:
        pieces.expect("(")
        value = self._expressions.parse(pieces)
        method: Valued = Constant("sha256")
        if pieces.accept(","):
            method = self._expressions.parse(pieces)
        pieces.expect(")")
        return Hash(value, method, place)

    def _modified(self, value: Valued, bar: TagPiece, pieces: TagPieces) -> Valued:
        name = pieces.take()
        if name.kind != "name":
            raise pieces.problem("the name of a modifier is missing", "write {$name|trim}", name)
        arguments: list[Valued] = []
        while pieces.accept(":"):
            arguments.append(self._argument(pieces))
        if name.text not in MODIFIERS:
            self._warn_of(name, pieces)
            return value
        if len(arguments) > MOST_ARGUMENTS.get(name.text, 0):
            takes = MOST_ARGUMENTS.get(name.text, 0)
            raise pieces.problem(
                f"{name.text} takes {takes or 'no'} argument{'s' * (takes != 1)}", piece=name
            )
        return Modified(value, name.text, arguments, pieces.place(bar))

    def _argument(self, pieces: TagPieces) -> Valued:
        sign = pieces.accept("-")
        value = self._unmodified(pieces)
        return Altered(value, OPERATORS.before["-"], pieces.place(sign)) if sign else value

    def _warn_of(self, name: TagPiece, pieces: TagPieces) -> None:
        likely = closest(name.text, MODIFIERS)
        hint = f"did you mean {likely}?" if likely else ""
        problem = f"there is no modifier {name.text[:40]!r}, and it does nothing"
        self.warnings.append(TemplateProblem(pieces.place(name), problem, hint, name.text[:40]))
