"""Runs the parts of a step with notebook semantics; its text is carried inside the component.

It stands behind the text of `record.py`: Python 3.8 or newer, the standard library and IPython,
whatever interpreter runs the step. Nothing of this package imports it.
"""

import asyncio
import base64
import builtins
import getpass
import importlib.util
import json
import logging
import os
import pickle
import re
import shutil
import sys
import tempfile
import time
import types
import warnings

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class _Tee:
    """A stream that writes to the task's log as it comes, and into the notebook."""

    def __init__(self, stream, name, record):
        self.log = stream
        self._name = name
        self._record = record
        self._flushed = 0.0
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text):
        self.log.write(text)
        # Every line at once; parts of lines, of which there may be many, when there was a pause.
        if "\n" in text or time.monotonic() - self._flushed > 0.1:
            self.log.flush()
            self._flushed = time.monotonic()
        if text:
            self._record.stream(self._name, text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def isatty(self):
        return False

    def __getattr__(self, name):
        return getattr(self.log, name)


def _log(text, name):
    """Writes to the task's log alone."""
    stream = getattr(sys, name)
    stream = getattr(stream, "log", stream)
    stream.write(str(text) + "\n")
    stream.flush()


def _no_input(prompt="", *_, **__):
    raise EOFError(
        "A pipeline step cannot ask for input (%r). Put the value into a variable in an earlier "
        "cell: it becomes an input of the step." % str(prompt)
    )


class _Surroundings:
    """A `__main__`, folder, streams and logging of the cells' own, as in a fresh kernel."""

    def __init__(self, record, folder):
        self.module = types.ModuleType("__main__")
        self._record = record
        self._folder = folder

    def __enter__(self):
        root = logging.getLogger()
        self._before = (
            os.getcwd(),
            (sys.stdout, sys.stderr, sys.modules["__main__"], sys.argv),
            (builtins.input, getpass.getpass),
            (root.handlers[:], root.level),
        )
        if self._folder and os.path.isdir(self._folder):
            os.chdir(self._folder)
            sys.path.insert(0, self._folder)
        # Figures are displayed where the cell ends. Only looked up: importing it would import
        # matplotlib before the choice is made.
        inline = importlib.util.find_spec("matplotlib_inline") is not None
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline" if inline else "agg"
        sys.stdout = _Tee(sys.stdout, "stdout", self._record)
        sys.stderr = _Tee(sys.stderr, "stderr", self._record)
        # Pickles of classes that cells define look for them in `__main__`.
        sys.modules["__main__"] = self.module
        # The executor's arguments and log lines are not the notebook's.
        sys.argv = [""]
        root.handlers[:] = []
        root.setLevel(logging.WARNING)
        builtins.input = getpass.getpass = _no_input
        # IPython's advice after `sys.exit(1)` would hide the reason at the log's end.
        warnings.filterwarnings("ignore", message="To exit: use")

    def __exit__(self, *_):
        folder, system, asking, logs = self._before
        root = logging.getLogger()
        root.handlers[:], level = logs
        root.setLevel(level)
        builtins.input, getpass.getpass = asking
        sys.stdout, sys.stderr, sys.modules["__main__"], sys.argv = system
        os.chdir(folder)


# --- IPython -------------------------------------------------------------------------------------


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
                _log(data["text/plain"], "stdout")

        def clear_output(self, wait=False):
            record.clear(wait)

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            record.add(
                {
                    "output_type": "execute_result",
                    "execution_count": record.current["execution_count"],
                    "data": encoded(format_dict),
                    "metadata": md_dict or {},
                }
            )
            if "text/plain" in format_dict:
                _log(format_dict["text/plain"], "stdout")

        def finish_displayhook(self):
            self._is_active = False

    class Shell(InteractiveShell):
        displayhook_class = Type(Hook)
        display_pub_class = Type(Publisher)

        def _showtraceback(self, etype, evalue, stb):
            if _is_quiet_exit(evalue):
                return
            # Older versions colour some errors whatever they are told.
            lines = [_ANSI.sub("", line) for part in stb for line in part.splitlines()]
            record.add(
                {
                    "output_type": "error",
                    "ename": etype.__name__,
                    "evalue": str(evalue),
                    "traceback": lines,
                }
            )
            _log("\n".join(_as_python_prints(lines, etype.__name__)), "stderr")

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


def _as_python_prints(traceback, name):
    """IPython's traceback in the form of Python's own, by which readers of logs know one."""
    ends = [n for n, line in enumerate(traceback) if line == name or line.startswith(name + ":")]
    begins = [n + 1 for n, line in enumerate(traceback[:2]) if "Traceback (most" in line]
    begin, end = (begins or [0])[0], (ends or [len(traceback) - 1])[-1]
    frames = ["  " + line for line in traceback[begin:end]]
    return ["Traceback (most recent call last):", *frames, *traceback[end:]]


def _register_inline(shell):
    """Makes `%config InlineBackend.…` work before the first figure, as in a notebook."""
    try:
        from matplotlib_inline.config import InlineBackend
    except ImportError:
        return
    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    shell.configurables.append(backend)


async def _execute(shell, source):
    """Runs code in the running event loop, as a kernel does; returns what it raised."""
    try:
        code, problem = shell.transform_cell(source), None
    except Exception:
        code, problem = source, sys.exc_info()
    ready = {"transformed_cell": code, "preprocessing_exc_tuple": problem}
    if shell.should_run_async(source, **ready):
        result = await shell.run_cell_async(source, store_history=True, **ready)
        shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
    else:
        result = shell.run_cell(source, store_history=True)
    return result.error_before_exec or result.error_in_exec


# --- the run -------------------------------------------------------------------------------------


class _Inputs:
    """The step's parameters, and variables from files, of which each is read once."""

    def __init__(self, values, files):
        self._values = values
        self._files = files
        self._read = {}

    def get(self, name):
        if name in self._values:
            return self._values[name]
        path = self._files[name]
        try:
            if path not in self._read:
                with open(path, "rb") as file:
                    self._read[path] = pickle.load(file)
            return self._read[path][name]
        except Exception as error:
            raise RuntimeError(
                "The snapshot of %s cannot be loaded (%s: %s). Choose to recompute %s instead."
                % (name, type(error).__name__, error, name)
            ) from error

    def source(self, name):
        """What the executed notebook shows of an input."""
        if name not in self._values:
            return "# %s: the kernel's value" % name
        text = repr(self._values[name])
        return "%s = %s" % (name, text if len(text) <= 1000 else text[:1000] + " …")


def run_parts(parts, values, files, notebook_path, report_path, folder):
    """Runs the parts one after the other; an error of a cell ends the process with code 1.

    The log then ends with the exception, and notebook and report hold what there was until then.
    `values` and `files` are the inputs: name → value, name → file with a pickled dict by name.
    """
    record = _Record(parts, notebook_path, report_path)
    inputs = _Inputs(values, files)
    surroundings = _Surroundings(record, folder)
    ipython_folder = tempfile.mkdtemp(prefix="ipython-")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        with surroundings:
            shell = _shell(record, surroundings.module, ipython_folder)
            for number, part in enumerate(parts):
                record.begin(number)
                error = loop.run_until_complete(_run_part(shell, record, part, inputs))
                record.write()
                if _is_quiet_exit(error):
                    _log("[A cell ended the step: what follows it was not run.]", "stderr")
                    break
                if error is not None:
                    raise SystemExit(1)
    finally:
        record.write()
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(ipython_folder, ignore_errors=True)


async def _run_part(shell, record, part, inputs):
    """Sets a part's inputs and runs its code; returns what it raised."""
    try:
        for name in part["inputs"]:
            shell.user_ns[name] = inputs.get(name)
    except Exception as error:
        shell.showtraceback((type(error), error, None))
        return error
    shown = [inputs.source(name) for name in part["inputs"]]
    record.current["source"] = "\n".join(filter(None, [*shown, part["source"]]))
    return await _execute(shell, part["source"])


def _is_quiet_exit(error):
    """`sys.exit()`: the end without an error."""
    return isinstance(error, SystemExit) and not error.code
