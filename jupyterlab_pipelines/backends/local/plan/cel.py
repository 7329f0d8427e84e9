"""Reads the part of the Common Expression Language that pipelines use, into a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MAX_LENGTH = 20_000
MAX_DEPTH = 64

#: Functions an expression may call, with the number of their arguments.
FUNCTIONS = {
    "int": 1,
    "double": 1,
    "string": 1,
    "bool": 1,
    "size": 1,
    "parseJson": 1,
    "type": 1,
}
METHODS = {"contains": 1, "startsWith": 1, "endsWith": 1, "size": 0}
_RELATIONS = ("==", "!=", "<=", ">=", "<", ">", "in")
_NUMBER = re.compile(r"(0x[0-9a-fA-F]+|\d+\.\d+([eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+|\d+)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYMBOL = re.compile(r"==|!=|<=|>=|&&|\|\||[-+*/%!<>()\[\].,?:]")
_SPACE = re.compile(r"[ \t\r\n]*")
_AFTER_TEXT = re.compile(r"\s*($|[-+*/%=!<>)\].,?:&|]|\[|in\b)")
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "`": "`",
    "?": "?",
}


class CelError(Exception):
    """An expression cannot be read or has no value; the message says why."""


@dataclass(frozen=True)
class Node:
    """A node of the tree: `literal` (value), `name`, `list`, or an operation over `children`."""

    kind: str
    value: Any = None
    children: tuple[Node, ...] = ()


@dataclass(frozen=True)
class _Token:
    kind: str  # number, text, name, symbol, end
    value: Any


def parse(expression: str) -> Node:
    """The expression's tree. Raises CelError, naming what is not understood."""
    if len(expression) > MAX_LENGTH:
        raise CelError(f"the expression is longer than {MAX_LENGTH} characters")
    return _Parser(_tokens(expression)).whole()


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = _skip(text, 0)
    while position < len(text):
        if text[position] in "'\"":
            value, position = _text(text, position)
            tokens.append(_Token("text", value))
        elif match := _NUMBER.match(text, position):
            tokens.append(_Token("number", _number(match.group())))
            position = match.end()
        elif match := _NAME.match(text, position):
            tokens.append(_Token("name", match.group()))
            position = match.end()
        elif match := _SYMBOL.match(text, position):
            tokens.append(_Token("symbol", match.group()))
            position = match.end()
        else:
            raise CelError(f"`{text[position]}` is not understood")
        position = _skip(text, position)
    tokens.append(_Token("end", None))
    return tokens


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _number(text: str) -> int | float:
    if text.startswith("0x"):
        return int(text, 16)
    if text.isdigit():
        return int(text)
    return float(text)


def _text(text: str, start: int) -> tuple[str, int]:
    """A string literal and where it ends.

    The SDK writes the author's text between quotes as it is, so `'it's heads'` has a quote inside.
    A quote therefore ends the literal only where an expression can go on after it; in CEL that is
    well formed, every closing quote is such a place.
    """
    quote = text[start]
    parts: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == quote and _AFTER_TEXT.match(text, position + 1):
            return "".join(parts), position + 1
        if character == "\\" and position + 1 < len(text):
            piece, position = _escape(text, position + 1)
            parts.append(piece)
        else:
            parts.append(character)
            position += 1
    raise CelError("a text has no closing quote")


def _escape(text: str, position: int) -> tuple[str, int]:
    letter = text[position]
    if letter in _ESCAPES:
        return _ESCAPES[letter], position + 1
    lengths = {"x": 2, "X": 2, "u": 4, "U": 8}
    if letter in lengths:
        digits = text[position + 1 : position + 1 + lengths[letter]]
        if len(digits) == lengths[letter] and all(d in "0123456789abcdefABCDEF" for d in digits):
            code = int(digits, 16)
            if code <= 0x10FFFF:
                return chr(code), position + 1 + len(digits)
    raise CelError(f"`\\{letter}` is not an escape of CEL")


class _Parser:
    """Recursive descent over CEL's grammar: conditional, or, and, relation, sum, product, unary."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._conditional()
        if self._next.kind != "end":
            raise CelError(f"`{self._next.value}` is not expected there")
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._position]

    def _take(self, *values: str) -> str:
        """The next operator if it is one of `values`, consumed; otherwise an empty text."""
        token = self._next
        if token.kind in ("symbol", "name") and token.value in values:
            self._position += 1
            return str(token.value)
        return ""

    def _expect(self, value: str) -> None:
        if not self._take(value):
            found = "the end" if self._next.kind == "end" else f"`{self._next.value}`"
            raise CelError(f"`{value}` is expected where {found} is")

    def _conditional(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CelError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        node = self._disjunction()
        if self._take("?"):
            then = self._disjunction()
            self._expect(":")
            node = Node("?", children=(node, then, self._conditional()))
        self._depth -= 1
        return node

    def _disjunction(self) -> Node:
        node = self._conjunction()
        while self._take("||"):
            node = Node("||", children=(node, self._conjunction()))
        return node

    def _conjunction(self) -> Node:
        node = self._relation()
        while self._take("&&"):
            node = Node("&&", children=(node, self._relation()))
        return node

    def _relation(self) -> Node:
        node = self._sum()
        while operator := self._take(*_RELATIONS):
            node = Node(operator, children=(node, self._sum()))
        return node

    def _sum(self) -> Node:
        node = self._product()
        while operator := self._take("+", "-"):
            node = Node(operator, children=(node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._unary()
        while operator := self._take("*", "/", "%"):
            if operator != "*":  # their results depend on CEL's number types, which JSON has not
                raise CelError(f"the operator `{operator}` is not supported")
            node = Node(operator, children=(node, self._unary()))
        return node

    def _unary(self) -> Node:
        operators = []
        while operator := self._take("!", "-"):
            operators.append(operator)
        if len(operators) > MAX_DEPTH:
            raise CelError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        node = self._member()
        for operator in reversed(operators):
            node = Node("not" if operator == "!" else "negate", children=(node,))
        return node

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._take("."):
                node = self._field(node)
            elif self._take("["):
                node = Node("index", children=(node, self._conditional()))
                self._expect("]")
            else:
                return node

    def _field(self, node: Node) -> Node:
        if self._next.kind != "name":
            raise CelError("a name is expected after `.`")
        name = self._next.value
        self._position += 1
        if self._take("("):
            return self._call("method", name, METHODS, (node,))
        return Node("field", name, (node,))

    def _call(self, kind: str, name: str, known: dict[str, int], first: tuple[Node, ...]) -> Node:
        arguments = self._items(")")
        if known.get(name) != len(arguments):
            raise CelError(
                f"the function `{name}` with {len(arguments)} arguments is not supported"
            )
        return Node(kind, name, (*first, *arguments))

    def _items(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._take(closing):
            return ()
        items.append(self._conditional())
        while self._take(","):
            items.append(self._conditional())
        self._expect(closing)
        return tuple(items)

    def _primary(self) -> Node:
        token = self._next
        if self._take("("):
            node = self._conditional()
            self._expect(")")
            return node
        if self._take("["):
            return Node("list", children=self._items("]"))
        if token.kind in ("number", "text"):
            self._position += 1
            return Node("literal", token.value)
        if token.kind == "name":
            self._position += 1
            constants = {"true": True, "false": False, "null": None}
            if token.value in constants:
                return Node("literal", constants[token.value])
            if self._take("("):
                return self._call("call", token.value, FUNCTIONS, ())
            return Node("name", token.value)
        found = "ends" if token.kind == "end" else f"has `{token.value}`"
        raise CelError(f"the expression {found} where a value is expected")
