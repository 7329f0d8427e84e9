"""Which names statements need, assign and may change: conservative, never optimistic."""

from __future__ import annotations

import ast
import builtins
import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .magics import is_ipython, magic_call, magic_names
from .scopes import free_names

#: Names that are there without the notebook's doing.
BUILTINS = frozenset(dir(builtins)) | {
    *("get_ipython", "display", "In", "Out", "exit", "quit", "_", "__", "___"),
    *("__name__", "__file__", "__doc__", "__builtins__", "__annotations__", "__class__"),
}
_AT_VARIABLE = re.compile(r"@([A-Za-z_]\w*)")


@dataclass
class Names:
    """The names of one or several statements at module level, in the order they run.

    `needed`, `deferred` and `mentioned` map a name to its first line.
    """

    #: Loaded where they may not have been assigned before.
    needed: dict[str, int] = field(default_factory=dict)
    #: Loaded by a function when it is called, at the earliest where it is defined.
    deferred: dict[str, int] = field(default_factory=dict)
    #: Loaded perhaps: in annotations and in the text of magics and queries.
    mentioned: dict[str, int] = field(default_factory=dict)
    #: Certainly assigned once the statements have run.
    defined: set[str] = field(default_factory=set)
    #: Assigned on some path, or deleted.
    touched: set[str] = field(default_factory=set)
    #: Loaded at all, in whatever scope.
    used: set[str] = field(default_factory=set)
    star_imports: bool = False
    #: Runs code that cannot be read: any name may be used or assigned.
    opaque: bool = False


def names_of(statements: Iterable[ast.stmt]) -> Names:
    """The names of statements that run one after the other."""
    visitor = _Module()
    visitor.block(statements)
    visitor.names.defined = visitor.sure
    return visitor.names


class _Module(ast.NodeVisitor):
    """Walks module-level code in the order it runs, knowing what is certainly assigned."""

    def __init__(self) -> None:
        self.names = Names()
        self.sure: set[str] = set()
        #: In a class body: what is certain around it, since inner scopes see only that.
        self.around: set[str] | None = None
        #: Assigned from inner scopes by `global` or `:=`.
        self.stored_globals: set[str] = set()

    # --- what is loaded and bound --------------------------------------------------------------

    def load(self, name: str, line: int) -> None:
        self._note(self.names.needed, name, line, self.sure)

    def bind(self, name: str) -> None:
        self.sure.add(name)
        self.names.touched.add(name)

    def _note(self, where: dict[str, int], name: str, line: int, visible: set[str]) -> None:
        self.names.used.add(name)
        if name not in visible:
            where.setdefault(name, line)

    def _mention(self, names: Iterable[str], line: int) -> None:
        for name in names:
            self._note(self.names.mentioned, name, line, self.sure)

    def _inner(self, where: dict[str, int], loaded: Mapping[str, int]) -> None:
        """What an inner scope loads: it sees this one unless this is a class's."""
        for name, line in loaded.items():
            self._note(where, name, line, self.sure if self.around is None else self.around)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.bind(node.id)
            return
        self.load(node.id, node.lineno)
        if isinstance(node.ctx, ast.Del):
            self.sure.discard(node.id)
            self.names.touched.add(node.id)

    def block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def branches(self, *blocks: list[ast.stmt]) -> None:
        """Blocks of which one runs: certain is what all assign that go on to what follows."""
        before = self.sure
        after = []
        for statements in blocks:
            self.sure = set(before)
            self.block(statements)
            if not _leaves(statements):
                after.append(self.sure)
        self.sure = set.intersection(*after) if after else set(before)

    # --- statements whose order is not their fields' order --------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.load(node.target.id, node.lineno)
        self.visit(node.value)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.branches(node.body, node.orelse)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self._perhaps(node.body)
        self._perhaps(node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        self._perhaps(*node.values[1:])

    def visit_Compare(self, node: ast.Compare) -> None:
        self.visit(node.left)
        self.visit(node.comparators[0])
        self._perhaps(*node.comparators[1:])

    def _perhaps(self, *nodes: ast.AST) -> None:
        """What may not run assigns nothing for certain."""
        before = set(self.sure)
        for node in nodes:
            self.visit(node)
        self.sure = before

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._perhaps(node.target, *node.body)
        self.branches([], node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._perhaps(*node.body)
        self.branches([], node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        before = set(self.sure)
        self.block([*node.body, *node.orelse])
        after = [self.sure]
        for handler in node.handlers:
            self.sure = set(before)
            self._handler(handler)
            if not _leaves(handler.body):
                after.append(self.sure)
        certain = set.intersection(*after)
        # `finally` also runs where nothing of the body did.
        self.sure = set(before)
        self.block(node.finalbody)
        self.sure |= certain

    visit_TryStar = visit_Try  # noqa: N815

    def _handler(self, handler: ast.ExceptHandler) -> None:
        if handler.type is not None:
            self.visit(handler.type)
        if handler.name:
            self.bind(handler.name)
        self.block(handler.body)
        if handler.name:
            self.sure.discard(handler.name)  # Python deletes it

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        before = set(self.sure)
        self.block(node.body)
        # A manager that swallows exceptions may end the body anywhere.
        if any(re.search("suppress|raises|ignore", ast.dump(i.context_expr)) for i in node.items):
            self.sure = before

    visit_AsyncWith = visit_With  # noqa: N815

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        for case in node.cases:
            self._perhaps(case)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.pattern is not None:
            self.visit(node.pattern)
        if node.name:
            self.bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self.bind(node.rest)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.bind(alias.asname or alias.name.split(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.names.star_imports = True
            else:
                self.bind(alias.asname or alias.name)

    # --- scopes of their own -------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._defaults(node.args)
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg) and argument.annotation is not None:
                self._annotation(argument.annotation)
        if node.returns is not None:
            self._annotation(node.returns)
        self.bind(node.name)
        self._function(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        self._function(node)

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.visit(default)

    def _annotation(self, node: ast.expr) -> None:
        """May never be evaluated: with `from __future__ import annotations`, in newer Pythons."""
        found = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        self._mention(found, node.lineno)

    def _function(self, node: ast.AST) -> None:
        outer = _without_outer_parts(node)
        free = free_names(outer)
        self._inner(self.names.deferred, free.loaded)
        self._store_globals(free.stored)
        self._dynamic_calls(outer)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        own = {parameter.name for parameter in getattr(node, "type_params", [])} - self.sure
        self.sure |= own
        for part in [*node.decorator_list, *node.bases, *[k.value for k in node.keywords]]:
            self.visit(part)
        body = _Class(self.sure)
        body.block(node.body)
        found = body.names
        for name, line in found.needed.items():
            self.load(name, line)
        self._note_all(self.names.deferred, found.deferred)
        self._note_all(self.names.mentioned, found.mentioned)
        self.names.used |= found.used - found.touched
        self._store_globals(body.stored_globals)
        self.names.opaque |= found.opaque
        self.sure -= own
        self.bind(node.name)

    def _note_all(self, where: dict[str, int], names: Mapping[str, int]) -> None:
        for name, line in names.items():
            self._note(where, name, line, self.sure)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """`type X = …` is evaluated when it is asked for."""
        self._annotation(node.value)  # type: ignore[attr-defined]
        self.visit(node.name)  # type: ignore[attr-defined]

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        self.visit(node.generators[0].iter)
        free = free_names(node)
        self._inner(self.names.needed, free.loaded)
        # `:=` binds outside, where the comprehension gets there at all.
        self._store_globals(free.stored)
        self._dynamic_calls(node)

    def _store_globals(self, names: set[str]) -> None:
        self.names.touched |= names
        self.stored_globals |= names

    visit_ListComp = visit_SetComp = _comprehension  # noqa: N815
    visit_GeneratorExp = visit_DictComp = _comprehension  # noqa: N815

    # --- code in texts -------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        self._dynamic_call(node)

    def _dynamic_calls(self, node: ast.AST) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                self._dynamic_call(part)

    def _dynamic_call(self, node: ast.Call) -> None:
        """Magics, `eval("xs")`, `globals()`, `frame.query("a > @limit")`."""
        magic = magic_call(node)
        if magic is not None:
            found = magic_names(*magic)
            self._mention(found.mentioned, node.lineno)
            self.names.touched |= found.assigned
            self.names.opaque |= found.opaque
        elif isinstance(node.func, ast.Name):
            self._code_in_text(node.func.id, node)
        elif isinstance(node.func, ast.Attribute) and is_ipython(node.func.value):
            self.names.opaque = True
        elif isinstance(node.func, ast.Attribute) and node.func.attr in ("query", "eval"):
            for text in _texts(node):
                self._mention(_AT_VARIABLE.findall(text), node.lineno)

    def _code_in_text(self, function: str, node: ast.Call) -> None:
        if function in ("globals", "locals") or (function == "vars" and not node.args):
            self.names.opaque = True
        elif function in ("eval", "exec") and function not in self.sure:
            texts = _texts(node)
            try:
                found = names_of(ast.parse("\n".join(texts)).body)
            except (SyntaxError, ValueError):
                texts = []
            if not texts:
                self.names.opaque = True
                return
            self._mention(found.used, node.lineno)
            self.names.touched |= found.touched
            self.names.opaque |= found.opaque


class _Class(_Module):
    """A class body: what it binds is its own, what its methods declare global is not."""

    def __init__(self, around: set[str]) -> None:
        super().__init__()
        self.around = set(around)
        self.sure = around | {"__module__", "__qualname__"}


def _leaves(statements: list[ast.stmt]) -> bool:
    """Whether what follows the block does not run after it."""
    leaving = (ast.Raise, ast.Return, ast.Break, ast.Continue)
    return bool(statements) and isinstance(statements[-1], leaving)


def _texts(node: ast.Call) -> list[str]:
    first = node.args[0] if node.args else None
    return [first.value] if isinstance(first, ast.Constant) and isinstance(first.value, str) else []


def _without_outer_parts(node: ast.AST) -> ast.AST:
    """A function without what is evaluated where it is defined: decorators, defaults and so on."""
    bare = copy.deepcopy(node)
    if isinstance(bare, (ast.FunctionDef, ast.AsyncFunctionDef)):
        bare.decorator_list, bare.returns = [], None
    if isinstance(bare, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        none = ast.copy_location(ast.Constant(None), bare)
        bare.args.defaults = [none for _ in bare.args.defaults]
        bare.args.kw_defaults = [d and none for d in bare.args.kw_defaults]
        for argument in ast.walk(bare.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
    return bare
