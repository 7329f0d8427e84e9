"""Which distributions a piece of code imports, as requirements that pip understands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping

#: Import names whose distribution has another name, where no kernel was asked.
_KNOWN = {
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "PIL": "pillow",
    "yaml": "PyYAML",
    "bs4": "beautifulsoup4",
    "dotenv": "python-dotenv",
    "dateutil": "python-dateutil",
    "attr": "attrs",
    "jwt": "PyJWT",
    "fitz": "PyMuPDF",
    "serial": "pyserial",
    "git": "GitPython",
    "Crypto": "pycryptodome",
    "OpenSSL": "pyOpenSSL",
    "mpl_toolkits": "matplotlib",
    "pkg_resources": "setuptools",
    "umap": "umap-learn",
}
#: Supplied with every step.
_SUPPLIED = {"kfp", "IPython", "__main__", "__future__"}


def requirements(
    statements: Iterable[ast.stmt], distributions: Mapping[str, str | None]
) -> list[str]:
    """Requirements for the modules that code imports, at any depth, in order.

    `distributions` is the kernel's answer: module → `name==version`, or null for a file beside
    the notebook, which needs none. A module that the kernel does not know is guessed by its name,
    unless the code does without it.
    """
    modules: dict[str, bool] = {}
    for statement in statements:
        for module, needed in _imports(statement, True):
            modules[module] = modules.get(module, False) or needed
    found: dict[str, None] = {}
    for module, needed in modules.items():
        if module in sys.stdlib_module_names or module in _SUPPLIED:
            continue
        guess = _KNOWN.get(module, module.replace("_", "-")) if needed else None
        requirement = distributions.get(module, guess)
        if requirement is not None:
            found[requirement] = None
    return list(found)


def _imports(node: ast.AST, needed: bool) -> Iterator[tuple[str, bool]]:
    """Top-level modules, and whether the code cannot do without: `try: import a except: …`."""
    if isinstance(node, ast.Import):
        yield from ((alias.name.split(".")[0], needed) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.split(".")[0], needed
    guarded = isinstance(node, ast.Try) and bool(node.handlers)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, needed and not guarded)
