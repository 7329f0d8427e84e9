"""Runs in a notebook's kernel: says what variables and modules are, and saves values to a file.

Its text is sent to the kernel and executed there in a namespace of its own, with `NAMESPACE` (the
notebook's variables) and `ASKED` (JSON: names, modules, folder, most bytes). It stands alone: any
Python from 3.8 on, the standard library. Nothing of this package imports it.
"""

import importlib.util
import json
import math
import os
import pickle
import reprlib
import sys
import types
import uuid

NAMES, MODULES, FOLDER, MOST = json.loads(ASKED)


# --- values that travel as JSON ------------------------------------------------------------------


class Plain:
    """Whether a value is whole JSON, even after a browser has read and written it."""

    def __init__(self, value):
        self.containers = set()
        self.left = MOST // 2
        self.ok = self.check(value, 0) and len(json.dumps(value)) <= MOST

    def check(self, value, depth):
        kind = type(value)
        self.left -= 1
        if self.left < 0 or depth > 20:
            return False
        if value is None or kind is bool:
            return True
        if kind is int:
            return abs(value) < 2**53  # beyond, JavaScript's numbers have gaps
        if kind is float:
            return self.float_stays(value, depth)
        if kind is str:
            self.left -= len(value) // 2
            return is_text(value)
        if kind not in (list, dict) or id(value) in self.containers:
            return False
        self.containers.add(id(value))
        if kind is list:
            return all(self.check(item, depth + 1) for item in value)
        # JavaScript puts keys like "10" first, and gives "__proto__" a meaning.
        return all(
            type(key) is str
            and is_text(key)
            and not key.isdigit()
            and key != "__proto__"
            and self.check(item, depth + 1)
            for key, item in value.items()
        )

    @staticmethod
    def float_stays(value, depth):
        """JavaScript writes 1.0 as 1; on the outside, the type's name says what it was."""
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            return False
        return depth == 0 or not value.is_integer()


def is_text(text):
    try:
        text.encode("utf-8")
    except UnicodeError:
        return False
    return True


# --- values that are saved -----------------------------------------------------------------------


class Nowhere:
    """A file for trying whether something can be written."""

    def write(self, data):
        return len(data)


def picklers():
    """Ways to pickle, the plain one first: it refers to the notebook's classes by name."""
    found = [pickle.Pickler]
    try:
        import cloudpickle

        found.append(careful(cloudpickle.Pickler))
    except Exception:
        pass
    return found


def careful(base):
    class Careful(base):
        """Copies no function that looks at the notebook's variables: it would see old ones."""

        def reducer_override(self, value):
            if isinstance(value, (type, types.FunctionType)) and is_named(value):
                return NotImplemented
            if isinstance(value, types.FunctionType) and value.__globals__ is NAMESPACE:
                for name in sorted(code_names(value.__code__)):
                    if name in NAMESPACE and not isinstance(NAMESPACE[name], types.ModuleType):
                        raise pickle.PicklingError("it holds a function that uses %s" % name)
            return super().reducer_override(value)

    return Careful


def is_named(value):
    """Whether the notebook has a function or class under its own name."""
    return value.__module__ == "__main__" and NAMESPACE.get(value.__qualname__) is value


def code_names(code):
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= code_names(constant)
    return names


def why_not(name):
    """Why a variable cannot be saved, by itself; empty where it can."""
    value = NAMESPACE[name]
    if isinstance(value, (type, types.FunctionType)) and value.__module__ == "__main__":
        return "%s is defined by a cell, which can run again" % name
    for pickler in picklers():
        try:
            pickler(Nowhere(), protocol=4).dump(value)
            return ""
        except Exception as error:
            reason = "%s: %s" % (type(error).__name__, str(error)[:300])
    return reason


def shared_arrays(names):
    """Arrays that are views of one another's memory, which no file keeps."""
    numpy = sys.modules.get("numpy")
    found = set()
    arrays = [n for n in names if numpy and isinstance(NAMESPACE[n], numpy.ndarray)]
    for position, one in enumerate(arrays):
        for other in arrays[:position]:
            try:
                if NAMESPACE[one] is NAMESPACE[other]:
                    continue
                shared = numpy.shares_memory(NAMESPACE[one], NAMESPACE[other], max_work=10000)
            except Exception:
                shared = True
            if shared:
                found |= {one, other}
    return found


def save(names, errors):
    """Saves variables to one file, so that what they share stays shared.

    Returns its path and the ids of the objects in it. Those that cannot be saved get an error.
    """
    tries = picklers()
    for name in shared_arrays(names):
        errors[name] = "it shares memory with another array"
    for name in names:
        value = NAMESPACE[name]
        if isinstance(value, (type, types.FunctionType)):
            errors[name] = why_not(name)
    while True:
        rest = [name for name in names if not errors.get(name)]
        if not rest:
            return None, set()
        for pickler in tries:
            try:
                return write({name: NAMESPACE[name] for name in rest}, pickler)
            except OSError as error:
                reason = "it could not be saved: %s" % error
                break
            except Exception as error:
                reason = "%s: %s" % (type(error).__name__, str(error)[:300])
        found = {name: why_not(name) for name in rest}
        if not any(found.values()):
            found = dict.fromkeys(rest, reason)
        errors.update({name: why for name, why in found.items() if why})


def write(values, pickler_type):
    os.makedirs(FOLDER, exist_ok=True)
    os.chmod(FOLDER, 0o700)
    path = os.path.join(FOLDER, uuid.uuid4().hex + ".pickle")
    handle = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            pickler = pickler_type(file, protocol=4)
            pickler.dump(values)
        os.replace(path + ".part", path)
    except BaseException:
        os.remove(path + ".part")
        raise
    return path, set(pickler.memo.copy())


# --- the answer ----------------------------------------------------------------------------------


def look(name):
    value = NAMESPACE[name]
    return {
        "name": name,
        "type": clean(type(value).__name__),
        "preview": clean(preview(value)),
        "value": None,
        "is_json": False,
        "snapshot": None,
        "error": None,
    }


def preview(value):
    kind = type(value)
    try:
        shape = getattr(value, "shape", None)
        if type(shape) is tuple:
            return "%s of shape %s" % (kind.__name__, " x ".join(map(str, shape)))
        if kind in (bool, int, float, str, bytes, list, tuple, dict, set, type(None)):
            return reprlib.repr(value)[:200]
    except Exception:
        pass
    return kind.__name__


def clean(text):
    return text.encode("utf-8", "replace").decode("utf-8")


def variables():
    """What is known of every variable that is asked for and there is."""
    names = [name for name in dict.fromkeys(NAMES) if name in NAMESPACE]
    answers = {name: look(name) for name in names}
    plain = {name: Plain(NAMESPACE[name]) for name in names}
    plain = {name: one for name, one in plain.items() if one.ok}
    errors = {}
    for name, one in list(plain.items()):
        # What two variables share would be two things after it was written twice.
        if any(one.containers & plain[other].containers for other in plain if other != name):
            one.ok = False
    path, saved = None, set()
    while FOLDER:
        rest = [name for name in names if name not in plain or not plain[name].ok]
        path, saved = save(rest, errors)
        shared = [name for name in plain if plain[name].ok and plain[name].containers & saved]
        if not shared:
            break
        os.remove(path)
        for name in shared:
            plain[name].ok = False
    for name, answer in answers.items():
        if name in plain and plain[name].ok:
            answer.update(is_json=True, value=NAMESPACE[name])
        elif errors.get(name):
            answer["error"] = clean(errors[name])
        elif path:
            answer["snapshot"] = path
    return list(answers.values())


def distributions():
    """Module → `name==version`, or null for a file that belongs to no distribution."""
    from importlib import metadata

    owners = {name: None for name in MODULES if is_local(name)}
    for one in metadata.distributions() if MODULES else ():
        tops = (one.read_text("top_level.txt") or "").split()
        # As text: to parse every line of every package's record takes seconds.
        record = "" if tops else "\n" + (one.read_text("RECORD") or "")
        for top in MODULES:
            if top in tops or "\n%s/" % top in record or "\n%s.py," % top in record:
                version = one.version.split("+")[0]
                owners.setdefault(top, "%s==%s" % (one.metadata["Name"], version))
    for name in MODULES:
        if name not in owners and origin(name) is not None:
            owners[name] = None
    return owners


def origin(name):
    """Where a module is; null where there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    return spec.origin or (places[0] if places else "")


def is_local(name):
    place = os.path.abspath(origin(name) or os.sep)
    return place.startswith(os.getcwd() + os.sep) and "site-packages" not in place


print(
    "<pipelines-probe>"
    + json.dumps(
        {
            "variables": variables(),
            "executable": sys.executable,
            "python_version": "%d.%d" % sys.version_info[:2],
            "cwd": os.getcwd(),
            "distributions": distributions(),
        }
    )
    + "</pipelines-probe>"
)
