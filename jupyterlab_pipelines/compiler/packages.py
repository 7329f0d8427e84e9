"""Which distributions a piece of code imports, as requirements that pip understands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping

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
    "google.cloud": "google-cloud",
    "mpl_toolkits": "matplotlib",
    "pkg_resources": "setuptools",
    "tensorflow_hub": "tensorflow-hub",
    "umap": "umap-learn",
    "hdbscan": "hdbscan",
    "lightning": "lightning",
    "pytorch_lightning": "pytorch-lightning",
}
#: Supplied with every step.
_SUPPLIED = {"kfp", "IPython", "__main__", "__future__"}


def imported_modules(statements: Iterable[ast.stmt]) -> list[str]:
    """Top-level names of the modules that code imports, at any depth, in order."""
    found: dict[str, None] = {}
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                found.update((alias.name.split(".")[0], None) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module.split(".")[0]] = None
    return list(found)


def requirements(modules: Iterable[str], distributions: Mapping[str, str | None]) -> list[str]:
    """Requirements for modules.

    `distributions` is the kernel's answer: module → `name==version`, or null for a file beside
    the notebook, which needs none. A module that it does not know is guessed by name.
    """
    needed: dict[str, None] = {}
    for module in modules:
        if module in sys.stdlib_module_names or module in _SUPPLIED:
            continue
        known = distributions.get(module, _KNOWN.get(module, module.replace("_", "-")))
        if known is not None:
            needed[known] = None
    return list(needed)
