"""What a statement is to the rest of a notebook: a definition, a setting, a look, or data."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping

#: Calls that set a module up, rather than draw or compute with it.
_SETTING = re.compile(
    r"(seed|\w*_seed|set|set_\w+|use|use_\w+|filterwarnings|simplefilter|basicConfig|register\w*"
    r"|enable\w*|disable\w*|config\w*|insert|append|update|setup|init|init_\w+|reset_\w+)$"
)
_SETTING_MAGICS = {"matplotlib", "load_ext", "autoreload", "config", "env", "set_env", "precision"}
#: Functions that only look at what they are given. Those that iterate would use up an iterator.
_LOOKING = {"print", "display", "len", "type", "repr", "str", "round", "abs", "isinstance", "id"}
#: Methods that only look, on data frames, arrays, collections and models.
_LOOKING_METHODS = {
    *("head", "tail", "describe", "info", "sample", "value_counts", "nunique", "isna", "isnull"),
    *("mean", "std", "min", "max", "median", "sum", "count", "corr", "memory_usage", "to_string"),
    *("plot", "hist", "boxplot", "scatter", "keys", "values", "items", "get_params", "format"),
    *("join", "upper", "lower", "strip", "startswith", "endswith", "summary", "any", "all"),
}
_DRAWING_MODULES = {"matplotlib", "seaborn", "plotly", "altair", "bokeh", "mpld3"}
_PLAIN = (
    *(ast.Constant, ast.Name, ast.expr_context, ast.Attribute, ast.Subscript, ast.Slice),
    *(ast.keyword, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.BinOp, ast.UnaryOp),
    *(ast.BoolOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Tuple),
    *(ast.List, ast.Dict, ast.Set, ast.Starred),
)
#: Functions whose result is a number, a text or a truth value, whatever they are given.
_SCALAR_FUNCTIONS = {
    "len",
    "int",
    "float",
    "str",
    "bool",
    "ord",
    "chr",
    "hash",
    "repr",
    "isinstance",
}


def is_definition(statement: ast.stmt) -> bool:
    """A function, a class, or a name for a lambda."""
    return isinstance(
        statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    ) or _is_named_lambda(statement)


def _is_named_lambda(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Lambda)
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
    )


def defined_name(statement: ast.stmt) -> str:
    """The name of a definition."""
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
        assert isinstance(target, ast.Name)
        return target.id
    assert isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    return statement.name


def is_import(statement: ast.stmt) -> bool:
    """An import, also a guarded one: `try: import a except ImportError: import b`."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return True
    if not isinstance(statement, (ast.Try, ast.If)):
        return False
    inner = [node for node in ast.walk(statement) if isinstance(node, ast.stmt)][1:]
    plain = (ast.Import, ast.ImportFrom, ast.Pass)
    return bool(inner) and all(isinstance(node, plain) for node in inner)


def is_future_import(statement: ast.stmt) -> bool:
    """`from __future__ import …`, which changes how the code after it is read."""
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def imported_names(statement: ast.stmt) -> dict[str, str]:
    """Names that an import binds → top-level modules they come from."""
    found = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = top
        elif isinstance(node, ast.ImportFrom):
            top = (node.module or "").split(".")[0]
            found.update((alias.asname or alias.name, top) for alias in node.names)
    return found


def is_setting(statement: ast.stmt, modules: Collection[str]) -> bool:
    """A statement that only sets a module or the notebook up: seeds, styles, options."""
    if isinstance(statement, ast.Assign):
        return all(
            isinstance(target, (ast.Attribute, ast.Subscript)) and root(target) in modules
            for target in statement.targets
        )
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    if isinstance(call.func, ast.Attribute) and root(call.func) == "get_ipython":
        first = call.args[0] if call.args else None
        return isinstance(first, ast.Constant) and first.value in _SETTING_MAGICS
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    return root(call.func) in modules and _SETTING.match(name) is not None


def root(node: ast.expr) -> str:
    """`a` of `a.b[c].d()`; empty where there is no name."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


# --- looks and scalars -------------------------------------------------------------------------


def only_looks(statement: ast.stmt, modules: Mapping[str, str], own: Collection[str] = ()) -> bool:
    """Whether a statement can only show data: it assigns nothing and calls nothing that changes.

    `modules` maps imported names to their top-level modules; `own` are names that the notebook
    binds otherwise.
    """
    if isinstance(statement, ast.Pass):
        return True
    return isinstance(statement, ast.Expr) and all(
        isinstance(node, _PLAIN) or (isinstance(node, ast.Call) and _looks(node, modules, own))
        for node in ast.walk(statement.value)
    )


def _looks(call: ast.Call, modules: Mapping[str, str], own: Collection[str]) -> bool:
    name = root(call.func)
    if modules.get(name) in _DRAWING_MODULES:
        return True
    if isinstance(call.func, ast.Name):
        return name in _LOOKING and (name not in own or modules.get(name) == "IPython")
    return isinstance(call.func, ast.Attribute) and call.func.attr in _LOOKING_METHODS


def changed_names(statement: ast.stmt) -> set[str]:
    """Names whose value a statement visibly changes: `x[k] = …`, `x.append(…)`, `inplace=True`."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            if not isinstance(node.ctx, ast.Load):
                found.add(root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Attribute) and function.attr not in _LOOKING_METHODS:
                found.add(root(function))
        elif isinstance(node, ast.Call) and any(k.arg == "inplace" for k in node.keywords):
            found.add(root(node.func))
    return found - {""}


def scalar_assignment(statement: ast.stmt, scalars: Collection[str]) -> bool:
    """Whether it assigns names to numbers, texts and truth values, which nothing else can change.

    `scalars` are names known to hold such values themselves.
    """
    if isinstance(statement, ast.Assign):
        names = all(isinstance(target, ast.Name) for target in statement.targets)
        return names and _is_scalar(statement.value, scalars)
    if isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        value = statement.value
        named = isinstance(statement.target, ast.Name)
        return named and value is not None and _is_scalar(value, scalars)
    return False


def _is_scalar(node: ast.expr, scalars: Collection[str]) -> bool:
    def both(*nodes: ast.expr) -> bool:
        return all(_is_scalar(one, scalars) for one in nodes)

    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        return True
    if isinstance(node, ast.Name):
        return node.id in scalars
    if isinstance(node, ast.BinOp):
        return both(node.left, node.right)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not) or both(node.operand)
    if isinstance(node, ast.BoolOp):
        return both(*node.values)
    if isinstance(node, ast.IfExp):
        return both(node.body, node.orelse)
    if isinstance(node, ast.Compare):
        return both(node.left, *node.comparators)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _SCALAR_FUNCTIONS
    )


# --- definitions that hold data ----------------------------------------------------------------

_DATA = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call)
_FIELDS = {"field", "Field"}


def executed_names(statement: ast.stmt) -> set[str]:
    """Names of what a definition calls where it stands: decorators, defaults, class bodies."""
    found: set[str] = set()
    for node in _outside_functions(statement):
        if isinstance(node, ast.Call):
            found.add(root(node.func))
        for decorator in getattr(node, "decorator_list", []):
            found.add(root(decorator))
        if isinstance(node, ast.ClassDef):
            found.update(root(keyword.value) for keyword in node.keywords)
    return found - {""}


def _outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes that are evaluated where a definition stands, without the bodies of functions."""
    yield node
    if isinstance(node, ast.Lambda):
        children: list[ast.AST] = [node.args]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        children = [node.args, *node.decorator_list]
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _outside_functions(child)


def has_mutable_defaults(statement: ast.stmt) -> bool:
    """Whether a function in the definition keeps data between calls in a default value."""
    for node in ast.walk(statement):
        if isinstance(node, ast.arguments):
            defaults = [*node.defaults, *node.kw_defaults]
            if any(isinstance(default, _DATA) for default in defaults):
                return True
    return False


def class_attributes(statement: ast.ClassDef) -> dict[str, bool]:
    """Attributes of the class itself → whether they hold data that can change."""
    found: dict[str, bool] = {}
    for node in statement.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        value = node.value
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        is_field = isinstance(value, ast.Call) and root(value.func) in _FIELDS
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = isinstance(value, _DATA) and not is_field
    return found


class AttributeChanges:
    """Which attributes a notebook's code changes, by name alone."""

    def __init__(self, statements: Iterable[ast.stmt]) -> None:
        #: Assigned on something that is not `self`.
        self.assigned: set[str] = set()
        #: Changed in place: `x.items.append(1)`, `x.items[0] = 1`, `x.items += [1]`.
        self.altered: set[str] = set()
        #: Names on which attributes or items are assigned.
        self.roots: set[str] = set()
        for statement in statements:
            for node in ast.walk(statement):
                self._read(node)

    def _read(self, node: ast.AST) -> None:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            self._alter(node.func.value)
        elif isinstance(node, ast.AugAssign):
            self._alter(node.target)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(
            node.ctx, ast.Load
        ):
            self.roots.add(root(node))
            if isinstance(node, ast.Subscript):
                self._alter(node.value)
            elif not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                self.assigned.add(node.attr)
        elif isinstance(node, ast.Call) and root(node.func) in ("setattr", "delattr") and node.args:
            self.roots.add(root(node.args[0]))

    def _alter(self, node: ast.expr) -> None:
        while isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            self.altered.add(node.attr)
