"""What to ask a notebook's kernel: the values of variables, its Python and its packages.

`probe_source` is Python for any kernel from 3.8 on. It needs only the standard library, leaves no
name behind, and prints one line of JSON between `<pipelines-probe>` and `</pipelines-probe>`:
``{"variables": [KernelVariable], "executable": str, "python_version": str, "cwd": str,
"distributions": {module: "name==version" or null}}``.

A variable whose value is whole JSON comes with its value; any other is pickled to a file in
`snapshot_dir`. What cannot be pickled says why in `error`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

#: Bytes of JSON up to which a value travels as a parameter.
MAX_JSON = 64 * 1024

_SOURCE = """
def _jupyterlab_pipelines_probe(names, modules, folder, most):
    import json, math, os, pickle, reprlib, sys, uuid
    namespace = get_ipython().user_ns

    def whole(value, depth=0):
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return True
        if kind is float:
            return math.isfinite(value)
        if depth > 20:
            return False
        if kind is list:
            return all(whole(item, depth + 1) for item in value)
        if kind is dict:
            return all(type(k) is str and whole(v, depth + 1) for k, v in value.items())
        return False

    def preview(value):
        kind = type(value)
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            return "%s of shape %s" % (kind.__name__, " x ".join(map(str, shape)))
        if kind in (bool, int, float, str, bytes, list, tuple, dict, set, type(None)):
            return reprlib.repr(value)[:200]
        try:
            return "%s of length %d" % (kind.__name__, len(value))
        except Exception:
            return kind.__name__

    def save(name, value):
        try:
            import cloudpickle as pickler
        except Exception:
            pickler = pickle
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, "%s-%s.pickle" % (name, uuid.uuid4().hex))
        try:
            with open(path + ".part", "wb") as file:
                pickler.dump(value, file, protocol=4)
            os.replace(path + ".part", path)
        except BaseException:
            if os.path.exists(path + ".part"):
                os.remove(path + ".part")
            raise
        return path

    def ask(name):
        if name not in namespace:
            return None
        value = namespace[name]
        answer = {"name": name, "type": type(value).__name__, "preview": "", "value": None,
                  "is_json": False, "snapshot": None, "error": None}
        try:
            answer["preview"] = preview(value)
            if whole(value) and len(json.dumps(value)) <= most:
                answer.update(is_json=True, value=value)
            elif folder:
                answer["snapshot"] = save(name, value)
        except Exception as error:
            answer["error"] = "%s: %s" % (type(error).__name__, str(error)[:300])
        return answer

    def distributions():
        try:
            from importlib import metadata
        except ImportError:
            return {}
        owners = {}
        for one in metadata.distributions():
            tops = (one.read_text("top_level.txt") or "").split()
            # As text: to parse every line of every package's record takes seconds.
            record = "" if tops else "\\n" + (one.read_text("RECORD") or "")
            for top in modules:
                if top in tops or "\\n%s/" % top in record or "\\n%s.py," % top in record:
                    version = one.version.split("+")[0]
                    owners.setdefault(top, "%s==%s" % (one.metadata["Name"], version))
        for name in set(modules) - set(owners):
            path = getattr(sys.modules.get(name), "__file__", None) or ""
            if path.startswith(os.getcwd() + os.sep):
                owners[name] = None
        return owners

    variables = [answer for answer in map(ask, names) if answer is not None]
    print("<pipelines-probe>" + json.dumps({
        "variables": variables,
        "executable": sys.executable,
        "python_version": "%d.%d" % sys.version_info[:2],
        "cwd": os.getcwd(),
        "distributions": distributions(),
    }) + "</pipelines-probe>")


try:
    _jupyterlab_pipelines_probe(%(arguments)s)
finally:
    del _jupyterlab_pipelines_probe
"""


def probe_source(
    names: Sequence[str], snapshot_dir: str | None, modules: Sequence[str] = ()
) -> str:
    """Python that asks the kernel for variables and for the packages of modules.

    Without `snapshot_dir` nothing is saved.
    """
    # The arguments are JSON inside one string literal: no name can become code.
    payload = json.dumps([list(names), list(modules), snapshot_dir, MAX_JSON])
    return _SOURCE.replace("%(arguments)s", f"*__import__('json').loads({payload!r})")
