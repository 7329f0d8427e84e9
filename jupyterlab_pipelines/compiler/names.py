"""Which names a statement needs, defines and may change: conservative, never optimistic."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterable
from dataclasses import dataclass, field

BUILTINS = frozenset(dir(builtins)) | {
    *("get_ipython", "display", "In", "Out", "exit", "quit", "_", "__", "___"),
    *("__name__", "__file__", "__doc__", "__builtins__", "__annotations__"),
}


@dataclass
class Names:
    """The names of one or several statements at module level, in the order they run."""

    #: Loaded where they may not have been assigned before: name → line (from 1).
    needed: dict[str, int] = field(default_factory=dict)
    #: Certainly assigned once the statements have run.
    defined: set[str] = field(default_factory=set)
    #: Assigned on some path, or deleted.
    touched: set[str] = field(default_factory=set)
    #: Loaded at all, in whatever scope.
    used: set[str] = field(default_factory=set)
    star_imports: bool = False


def names_of(statements: Iterable[ast.stmt]) -> Names:
    """The names of statements that run one after the other."""
    visitor = _Module()
    visitor.block(list(statements))
    found = visitor.names
    found.defined = visitor.sure
    for name in BUILTINS - found.touched:
        found.needed.pop(name, None)
    found.used -= BUILTINS - found.touched
    return found


class _Module(ast.NodeVisitor):
    """Walks module-level code in the order it runs, knowing what is certainly assigned."""

    def __init__(self, around: set[str] | None = None) -> None:
        self.names = Names()
        self.sure: set[str] = set(around or ())
        #: In a class body: what is certain around it. Methods do not see the class's own names.
        self.around = around

    # --- what is loaded and bound --------------------------------------------------------------

    def load(self, name: str, line: int) -> None:
        self.names.used.add(name)
        if name not in self.sure:
            self.names.needed.setdefault(name, line)

    def bind(self, name: str) -> None:
        self.sure.add(name)
        self.names.touched.add(name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.load(node.id, node.lineno)
        elif isinstance(node.ctx, ast.Store):
            self.bind(node.id)
        else:
            self.load(node.id, node.lineno)
            self.sure.discard(node.id)
            self.names.touched.add(node.id)

    def block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def branches(self, *blocks: list[ast.stmt]) -> None:
        """Blocks of which one runs: certain is what all of them assign."""
        before = set(self.sure)
        after = []
        for statements in blocks:
            self.sure = set(before)
            self.block(statements)
            after.append(self.sure)
        self.sure = set.intersection(*after)

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
        self.visit(node.annotation)
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
        before = set(self.sure)
        self.visit(node.body)
        self.sure = set(before)
        self.visit(node.orelse)
        self.sure = before

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        before = set(self.sure)
        for value in node.values[1:]:
            self.visit(value)
        self.sure = before

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self.sure)
        self.visit(node.target)
        self.block(node.body)
        self.sure = set(before)
        self.branches([], node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        before = set(self.sure)
        self.block(node.body)
        self.sure = before
        self.branches([], node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        before = set(self.sure)
        self.block(node.body)
        self.block(node.orelse)
        after = [self.sure]
        for handler in node.handlers:
            self.sure = set(before)
            if handler.type is not None:
                self.visit(handler.type)
            if handler.name:
                self.bind(handler.name)
            self.block(handler.body)
            if handler.name:
                self.sure.discard(handler.name)
            after.append(self.sure)
        self.sure = set.intersection(*after)
        # `finally` also runs where nothing of the body did.
        certain, self.sure = self.sure, set(before)
        self.block(node.finalbody)
        self.sure |= certain

    visit_TryStar = visit_Try  # noqa: N815

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        # A context manager may swallow an exception in the middle of the body.
        before = set(self.sure)
        self.block(node.body)
        suppresses = any("suppress" in ast.unparse(item.context_expr) for item in node.items)
        if suppresses:
            self.sure = before

    visit_AsyncWith = visit_With  # noqa: N815

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self.sure)
        for case in node.cases:
            self.sure = set(before)
            self.visit(case)
        self.sure = before

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
        self._arguments(node.args)
        for annotation in _annotations(node):
            self.visit(annotation)
        self.bind(node.name)
        self._free(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._arguments(node.args)
        self._free(node)

    def _arguments(self, arguments: ast.arguments) -> None:
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.visit(default)

    def _free(self, node: ast.AST) -> None:
        """A function's globals are needed when it is called; at its definition at the earliest."""
        free = _globals_of(node)
        for name, line in free.loaded.items():
            if self.around is not None and name not in self.around:
                self.names.needed.setdefault(name, line)
            self.load(name, line)
        self.names.touched |= free.stored

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *[k.value for k in node.keywords]]:
            self.visit(part)
        body = _Module(around=set(self.sure))
        body.block(node.body)
        local = body.names.touched
        for name, line in body.names.needed.items():
            self.load(name, line)
        self.names.used |= body.names.used - local
        self.bind(node.name)

    def _comprehension(self, node: ast.AST, generators: list[ast.comprehension]) -> None:
        self.visit(generators[0].iter)
        free = _globals_of(node)
        for name, line in free.loaded.items():
            self.load(name, line)
        # `:=` inside a comprehension binds outside it, where the comprehension runs at all.
        self.names.touched |= free.stored

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node, node.generators)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node, node.generators)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node, node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, node.generators)


@dataclass
class _Globals:
    loaded: dict[str, int] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    arguments = node.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, [arguments.vararg, arguments.kwarg]),
    ]
    found = [argument.annotation for argument in every if argument.annotation is not None]
    return [*found, node.returns] if node.returns is not None else found


def _globals_of(node: ast.AST) -> _Globals:
    """The module-level names that a function, lambda or comprehension loads or stores.

    Python's own symbol table decides what is local, so that every rule of scoping is its.
    """
    statement = node if isinstance(node, ast.stmt) else ast.Expr(value=node)  # type: ignore[arg-type]
    lines: dict[str, int] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            lines.setdefault(part.id, part.lineno)
    found = _Globals()
    text = ast.unparse(ast.fix_missing_locations(ast.Module(body=[statement], type_ignores=[])))
    if any(isinstance(part, (ast.Await, ast.AsyncFor, ast.AsyncWith)) for part in ast.walk(node)):
        text = text if isinstance(node, ast.AsyncFunctionDef) else _in_async(text)

    def walk(table: symtable.SymbolTable, depth: int) -> None:
        for symbol in table.get_symbols():
            outer = symbol.is_global() if depth else False
            if not outer:
                continue
            if symbol.is_referenced():
                name = symbol.get_name()
                found.loaded.setdefault(name, lines.get(name, getattr(node, "lineno", 1)))
            if symbol.is_assigned():
                found.stored.add(symbol.get_name())
        for child in table.get_children():
            walk(child, depth + 1)

    top = symtable.symtable(text, "<cell>", "exec")
    walk(top, 0)
    # Since Python 3.12 a comprehension at module level is no table of its own: read it directly.
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        _inlined(node, lines, found)
    return found


def _in_async(text: str) -> str:
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    return f"async def _():\n{indented}\n"


def _inlined(node: ast.AST, lines: dict[str, int], found: _Globals) -> None:
    """The names of a comprehension: all that it loads, without what its `for` binds."""
    bound = {
        part.id
        for generator in ast.walk(node)
        if isinstance(generator, ast.comprehension)
        for part in ast.walk(generator.target)
        if isinstance(part, ast.Name)
    }
    inner = {
        argument.arg
        for part in ast.walk(node)
        if isinstance(part, ast.Lambda)
        for argument in ast.walk(part.args)
        if isinstance(argument, ast.arg)
    }
    for part in ast.walk(node):
        if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name):
            found.stored.add(part.target.id)
        elif (
            isinstance(part, ast.Name)
            and isinstance(part.ctx, ast.Load)
            and part.id not in bound | inner
        ):
            found.loaded.setdefault(part.id, lines[part.id])
