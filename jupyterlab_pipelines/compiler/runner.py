"""Runs the parts of a step with notebook semantics; its text is carried inside the component.

It stands alone: Python 3.8 or newer, the standard library and IPython, whatever interpreter runs
the step. Nothing of this package imports it.
"""

import base64
import html
import importlib.util
import json
import logging
import os
import pickle
import re
import shutil
import sys
import tempfile
import types


#: Characters of one stream that a cell keeps; the log has all.
MOST_TEXT = 1 << 20
#: Colours of a traceback, which a log does not show.
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class _Text:
    """What a stream wrote, piece by piece."""

    def __init__(self):
        self.pieces = []
        self.room = MOST_TEXT

    def append(self, text):
        if self.room > 0:
            self.room -= len(text)
            self.pieces.append(text if self.room > 0 else "\n… The rest is in the log.\n")

    def __str__(self):
        return "".join(self.pieces)


class _Record:
    """The executed notebook and its report, written whole after every part."""

    def __init__(self, parts, notebook_path, report_path):
        # Absolute, since cells may change the folder.
        self.paths = os.path.abspath(notebook_path), os.path.abspath(report_path)
        self.cells = [_cell(number, part) for number, part in enumerate(parts)]
        self.current = None
        self.clear_on_next = False
        self.displays = {}

    def begin(self, number):
        self.current = self.cells[number]
        self.clear_on_next = False

    def add(self, output):
        if self.current is None:
            return
        if self.clear_on_next:
            del self.current["outputs"][:]
            self.clear_on_next = False
        self.current["outputs"].append(output)

    def stream(self, name, text):
        if self.current is None:
            return
        outputs = self.current["outputs"]
        if not outputs or outputs[-1].get("name") != name or self.clear_on_next:
            self.add({"output_type": "stream", "name": name, "text": _Text()})
        outputs[-1]["text"].append(text)

    def display(self, data, metadata, transient, update):
        display_id = (transient or {}).get("display_id")
        if update and display_id in self.displays:
            self.displays[display_id].update(data=data, metadata=metadata)
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        if display_id is not None:
            self.displays[display_id] = output
        self.add(output)

    def clear(self, wait):
        if wait:
            self.clear_on_next = True
        elif self.current is not None:
            del self.current["outputs"][:]

    def write(self):
        version = "%d.%d.%d" % sys.version_info[:3]
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python", "version": version},
            },
            "cells": self.cells,
        }
        _write(self.paths[0], json.dumps(notebook, default=str, ensure_ascii=False))
        _write(self.paths[1], _report(self.cells))


def _cell(number, part):
    return {
        "cell_type": "code",
        "id": "part-%d" % (number + 1),
        "metadata": {"title": part["title"], "selected": part["selected"]},
        "execution_count": None,
        "source": part["source"],
        "outputs": [],
    }


def _write(path, text):
    """Replaces a file whole: a reader never sees half of it."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def _report(cells):
    """The outputs as one page, for viewers that know HTML and not notebooks."""
    body = []
    for cell in cells:
        outputs = "".join(_output_html(output) for output in cell["outputs"])
        if outputs:
            body.append("<section>%s</section>" % outputs)
    style = (
        "body{font-family:system-ui,sans-serif;margin:1rem;max-width:60rem}"
        "pre{white-space:pre-wrap;overflow-wrap:anywhere}img{max-width:100%}"
        "table{border-collapse:collapse}td,th{padding:.2em .6em;text-align:right}"
        ".error{color:#b3261e}"
    )
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><style>%s</style></head><body>%s</body></html>'
        % (
            style,
            "\n".join(body) or "<p>The step displayed nothing.</p>",
        )
    )


def _output_html(output):
    kind = output["output_type"]
    if kind == "stream":
        return "<pre>%s</pre>" % html.escape(str(output["text"]))
    if kind == "error":
        return '<pre class="error">%s</pre>' % html.escape(
            ANSI.sub("", "\n".join(output["traceback"]))
        )
    data = output["data"]
    if "text/html" in data:
        return "<div>%s</div>" % data["text/html"]
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            return '<img alt="Figure" src="data:%s;base64,%s">' % (mime, data[mime].strip())
    if "image/svg+xml" in data:
        encoded = base64.b64encode(data["image/svg+xml"].encode("utf-8")).decode("ascii")
        return '<img alt="Figure" src="data:image/svg+xml;base64,%s">' % encoded
    text = data.get("text/markdown", data.get("text/latex", data.get("text/plain", "")))
    return "<pre>%s</pre>" % html.escape(str(text))


class _Tee:
    """A stream that writes to the task's log as it comes, and into the notebook."""

    def __init__(self, stream, name, record):
        self._stream = stream
        self._name = name
        self._record = record

    def write(self, text):
        self._stream.write(text)
        self._stream.flush()
        if text:
            self._record.stream(self._name, text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def isatty(self):
        return False

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _shell(record, module, folder):
    """An IPython of its own, whose displays go into the record."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    def encoded(data):
        return {
            mime: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
            for mime, value in data.items()
        }

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, source=None, transient=None, update=False, **_):
            record.display(encoded(data), metadata or {}, transient, update)
            if "text/plain" in data and not update:
                _log(data["text/plain"])

        def clear_output(self, wait=False):
            record.clear(wait)

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            record.add(
                {
                    "output_type": "execute_result",
                    "execution_count": None,
                    "data": encoded(format_dict),
                    "metadata": md_dict or {},
                }
            )
            if "text/plain" in format_dict:
                _log(format_dict["text/plain"])

        def finish_displayhook(self):
            self._is_active = False

    class Shell(InteractiveShell):
        displayhook_class = Type(Hook)
        display_pub_class = Type(Publisher)

        def _showtraceback(self, etype, evalue, stb):
            lines = [line for part in stb for line in part.splitlines()]
            record.add(
                {
                    "output_type": "error",
                    "ename": etype.__name__,
                    "evalue": str(evalue),
                    "traceback": lines,
                }
            )
            _log("\n".join(lines), "stderr")

        def enable_gui(self, gui=None):
            pass

        def ask_exit(self):
            raise SystemExit

    config = Config()
    config.HistoryManager.enabled = False
    shell = Shell.instance(config=config, user_module=module, ipython_dir=folder)
    for colours in ("nocolor", "NoColor"):
        try:
            shell.colors = colours
            break
        except Exception:  # the name changed between versions
            continue
    _register_inline(shell)
    return shell


def _register_inline(shell):
    """Makes `%config InlineBackend.…` work before the first figure, as in a notebook."""
    try:
        from matplotlib_inline.config import InlineBackend
    except ImportError:
        return
    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    shell.configurables.append(backend)


def _log(text, name="stdout"):
    """Writes to the task's log alone."""
    stream = getattr(sys, name)
    stream = getattr(stream, "_stream", stream)
    stream.write(ANSI.sub("", str(text)) + "\n")
    stream.flush()


def _use_inline_figures():
    """Figures are displayed where the cell ends, as in a notebook."""
    # Only looked up: importing it would import matplotlib before the choice is made.
    inline = importlib.util.find_spec("matplotlib_inline") is not None
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline" if inline else "agg"


class _Surroundings:
    """What cells find around them: a `__main__`, streams and logging of their own."""

    def __init__(self, record, folder):
        self.module = types.ModuleType("__main__")
        self._record = record
        self._folder = folder

    def __enter__(self):
        self._streams = sys.stdout, sys.stderr
        self._main = sys.modules["__main__"]
        self._argv = sys.argv
        if self._folder and os.path.isdir(self._folder):
            os.chdir(self._folder)
            sys.path.insert(0, self._folder)
        _use_inline_figures()
        # The executor's arguments are not the notebook's, and neither are its log lines.
        sys.argv = [""]
        root = logging.getLogger()
        self._handlers, self._level = root.handlers[:], root.level
        root.handlers[:] = []
        root.setLevel(logging.WARNING)
        # Pickles of classes that cells define look for them in `__main__`.
        sys.modules["__main__"] = self.module
        stdout, stderr = self._streams
        sys.stdout = _Tee(stdout, "stdout", self._record)
        sys.stderr = _Tee(stderr, "stderr", self._record)

    def __exit__(self, *_):
        logging.getLogger().handlers[:] = self._handlers
        logging.getLogger().setLevel(self._level)
        sys.stdout, sys.stderr = self._streams
        sys.modules["__main__"] = self._main
        sys.argv = self._argv


def run_parts(parts, values, snapshots, notebook_path, report_path, folder):
    """Runs the parts one after the other; an error of a cell ends the process with code 1.

    The log ends with the exception then, and notebook and report hold what there was until then.
    """
    record = _Record(parts, notebook_path, report_path)
    surroundings = _Surroundings(record, folder)
    ipython_folder = tempfile.mkdtemp(prefix="ipython-")
    try:
        with surroundings:
            shell = _shell(record, surroundings.module, ipython_folder)
            for number, part in enumerate(parts):
                if not _run_part(shell, record, number, part, values, snapshots):
                    break
    finally:
        record.write()
        shutil.rmtree(ipython_folder, ignore_errors=True)


def _run_part(shell, record, number, part, values, snapshots):
    """Runs one part; false where it asked for the end."""
    record.begin(number)
    try:
        for name in part["inputs"]:
            shell.user_ns[name] = _value(name, values, snapshots)
        result = shell.run_cell(part["source"], store_history=True)
        error = result.error_before_exec or result.error_in_exec
    except Exception as failure:
        error = failure
        shell.showtraceback((type(error), error, error.__traceback__))
    record.current["execution_count"] = number + 1
    record.write()
    if isinstance(error, SystemExit) and not error.code:
        return False
    if error is not None:
        raise SystemExit(1)
    return True


def _value(name, values, snapshots):
    if name in values:
        return values[name]
    try:
        with open(snapshots[name], "rb") as file:
            return pickle.load(file)
    except Exception as error:
        raise RuntimeError(
            "The snapshot of %s cannot be loaded (%s: %s). Choose to recompute %s instead."
            % (name, type(error).__name__, error, name)
        ) from error
