"""From tokens to the tree. All syntax errors are noted; after each, reading goes on at the next sane item."""

import re

from angarium.config.lexer import Kind, Token, tokenize
from angarium.config.problems import Position, ProblemList, SourceText
from angarium.config.syntax import Assignment, DictValue, Include, Item, ListValue, Scalar, Stanza, Value

MAX_DEPTH = 32
"""Stanzas inside each other; the language needs four."""

_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_END: tuple[Kind, ...] = ("}", "end")


class _SyntaxProblem(Exception):
    """The current item cannot be read further; the problem has been noted."""


def parse(source: SourceText, problems: ProblemList) -> tuple[Item, ...]:
    """Return what could be read of *source*, and note every syntax error in *problems*. Never raises."""
    return _Parser(source, tokenize(source, problems), problems).file()


class _Parser:
    def __init__(self, source: SourceText, tokens: list[Token], problems: ProblemList) -> None:
        self.source = source
        self.tokens = tokens
        self.problems = problems
        self.index = 0
        self.depth = 0

    # the grammar

    def file(self) -> tuple[Item, ...]:
        items = self.items()
        while self.token.kind != "end":
            self.problem(self.token, "this } closes nothing")
            self.index += 1
            items += self.items()
        return tuple(items)

    def items(self) -> list[Item]:
        found: list[Item] = []
        while self.token.kind not in _END:
            start = self.index
            try:
                found.append(self.item())
            except _SyntaxProblem:
                self.index = max(self.index, start + 1)
                self.recover()
        return found

    def item(self) -> Item:
        name = self.token
        if name.kind != "word":
            advice = "numbers have no commas, and lists stand in ( )" if name.kind == "," else _FORMS
            raise self.problem(name, f"{_show(name)} cannot start an option or a stanza", advice)
        after = self.peek(1)
        if name.text.lower() in ("include", "readonly_include"):
            if not after.is_scalar or (after.starts_line and self.peek(2).kind in ("=", "{")):
                self.index += 1
                raise self.problem(
                    name, f"{name.text} names no file", f'write {name.text} "conf.d", without ='
                )
            self.index += 2
            return Include(self.scalar(after), name.text.lower() != "include", self.at(name))
        if not _NAME.match(name.text):
            is_value = self.follows_value(name) and not name.text.startswith("//")
            instead = f"{_SPACES}, and a list into ( )" if is_value else _instead_of(name.text)
            raise self.problem(name, f"{name.text} is not the name of an option", instead)
        self.index += 1
        return self.rest_of_item(name)

    def rest_of_item(self, name: Token) -> Item:
        token = self.token
        if token.kind == "{":
            return self.stanza(name, None)
        if token.kind == "[":
            return Assignment(name.text, self.value(name), self.at(name))
        if token.is_scalar and self.peek(1).kind == "{":
            self.index += 1
            return self.stanza(name, self.scalar(token))
        if token.kind != "=" and token.starts_line:
            advice = _FORMS if name.starts_line else _SPACES
            raise self.problem(name, f"{name.text} has neither a value nor a stanza", advice)
        if token.kind != "=":
            message = f"after {name.text}, {_show(token)} stands where = or {{ should"
            raise self.problem(token, message, self.advice(name, token))
        self.index += 1
        return self.after_equals(name)

    def after_equals(self, name: Token) -> Item:
        token = self.token
        if token.kind == "{":  # published examples have `ESMTP_Listener = {`
            return self.stanza(name, None)
        if token.is_scalar and self.peek(1).kind == "{":
            self.index += 1
            return self.stanza(name, self.scalar(token))
        return Assignment(name.text, self.value(name), self.at(name))

    def stanza(self, name: Token, label: Scalar | None) -> Stanza:
        opening = self.token
        self.index += 1
        if self.depth >= MAX_DEPTH:
            self.problem(opening, f"more than {MAX_DEPTH} stanzas inside each other")
            self.skip_block()
            return Stanza(name.text, label, (), self.at(name))
        self.depth += 1
        items = self.items()
        self.depth -= 1
        if self.token.kind == "end":
            self.problem(opening, f"the {{ of {name.text} is never closed", "write } where it ends")
        else:
            self.index += 1
        return Stanza(name.text, label, tuple(items), self.at(name))

    def value(self, name: Token) -> Value:
        token = self.token
        if token.kind == "(":
            return self.list_value()
        if token.kind == "[":
            return self.dict_value()
        if token.text == ">" and token.kind == "word":
            raise self.problem(token, "=> cannot stand here", f"write {name.text} = and the value")
        if not token.is_scalar or (token.starts_line and self.peek(1).kind == "="):
            raise self.problem(name, f"{name.text} has no value", "write a value after =")
        self.index += 1
        if token.kind == "word" and token.text.endswith(";"):
            plain = token.text.rstrip(";")
            raise self.problem(
                token, "nothing ends with ; here", f"write {plain}" if plain else "write a value"
            )
        return self.scalar(token)

    def list_value(self) -> ListValue:
        opening = self.token
        self.index += 1
        items: list[Scalar] = []
        while self.token.kind != ")":
            if self.token.is_scalar:
                items.append(self.scalar(self.token))
            elif self.token.kind == "=" and not self.tokens[self.index - 1].starts_line:
                raise self.problem(
                    self.token, "= cannot stand in a list", "put an item that has = into double quotes"
                )
            elif self.token.kind != ",":
                raise self.unclosed(opening, "list", ")")
            self.index += 1
        self.index += 1
        return ListValue(tuple(items), self.at(opening))

    def dict_value(self) -> DictValue:
        opening = self.token
        self.index += 1
        items: list[tuple[Scalar, Scalar]] = []
        while self.token.kind != "]":
            if self.token.kind == ",":
                self.index += 1
                continue
            key, equals, item = self.token, self.peek(1), self.peek(2)
            if not (key.is_scalar and equals.kind == "=" and item.is_scalar):
                raise self.unclosed(opening, "dictionary", "]", " or has an item that is not key = value")
            items.append((self.scalar(key), self.scalar(item)))
            self.index += 3
        self.index += 1
        return DictValue(tuple(items), self.at(opening))

    # after an error

    def unclosed(self, opening: Token, what: str, end: str, also: str = "") -> _SyntaxProblem:
        """Note a list that runs into the next item, and step back to that item."""
        last = self.tokens[self.index - 1]
        if last.starts_line and last.kind == "word" and self.token.kind in ("=", "{"):
            self.index -= 1
        return self.problem(opening, f"this {what} is not closed{also}", f"write {end} where it ends")

    def recover(self) -> None:
        """Skip to what looks like an item on a line of its own, or to the end of the stanza."""
        while self.token.kind not in _END and not self.looks_like_item():
            opens = self.token.kind == "{"
            self.index += 1
            if opens:
                self.skip_block()

    def looks_like_item(self) -> bool:
        token, after = self.token, self.peek(1)
        if token.kind != "word" or not token.starts_line:
            return False
        if after.kind in ("=", "{", "["):
            return True
        return after.is_scalar and (self.peek(2).kind == "{" or token.text.lower().endswith("include"))

    def skip_block(self) -> None:
        """Skip to behind the } that closes the block whose { was just read."""
        depth = 1
        while depth and self.token.kind != "end":
            depth += {"{": 1, "}": -1}.get(self.token.kind, 0)
            self.index += 1

    def advice(self, name: Token, token: Token) -> str:
        """Say what may be meant where *token* follows *name*."""
        if token.text.startswith("+"):
            return f"nothing is appended: write {name.text} = and the whole value"
        if token.text.startswith("/"):
            return 'put a pattern into double quotes: "/…/"'
        if token.text == ":":
            return f"write {name.text} = …"
        if self.follows_value(name):
            return _SPACES
        if token.kind == "(":
            return f"write {name.text} = ( … ) for a list; a stanza has one name"
        if not token.is_scalar:
            return _FORMS
        stanza = f"{name.text} {_show(token)} {{ … }}"
        if self.peek(1).starts_line:
            return f"write {name.text} = {_show(token)} for an option, {stanza} for a stanza"
        return f"{_SPACES}; a stanza is {stanza}"

    def follows_value(self, name: Token) -> bool:
        """Whether *name*, which stands last or is the present token, stands behind a value on its line."""
        at = self.index if self.token is name else self.index - 1
        return not name.starts_line and self.tokens[at - 1].is_scalar and self.tokens[at - 2].kind == "="

    # small things

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def peek(self, count: int) -> Token:
        return self.tokens[min(self.index + count, len(self.tokens) - 1)]

    def at(self, token: Token) -> Position:
        return Position(self.source, token.offset)

    def scalar(self, token: Token) -> Scalar:
        return Scalar(token.text, token.kind == "string", self.at(token))

    def problem(self, token: Token, message: str, hint: str = "") -> _SyntaxProblem:
        self.problems.add(self.at(token), message, hint)
        return _SyntaxProblem()


def _show(token: Token) -> str:
    if token.kind == "end":
        return "the end of the file"
    return f'"{token.text}"' if token.kind == "string" else token.text


_SPACES = "put a value that has spaces into double quotes"
_FORMS = "write NAME = VALUE, or NAME { … }"


def _instead_of(name: str) -> str:
    """Say what to write where *name* stands, for what other languages have there."""
    if name.startswith(("//", "--", "!")):
        return "comments begin with #"
    if name.startswith("<"):
        return _FORMS
    if set(name) <= {";"}:
        return "nothing ends with ; here: take it out"
    plain = name.rstrip(":;+").replace("-", "_")
    if name.endswith("+"):
        return f"nothing is appended: write {plain} = and the whole value"
    if _NAME.match(plain):
        return f"names have letters, digits and _: write {plain}"
    return "names have letters, digits and _"
