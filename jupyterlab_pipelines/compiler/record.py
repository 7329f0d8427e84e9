"""The executed notebook of a step and its report; its text is carried inside the component.

It stands alone, before the text of `runner.py`: Python 3.8 or newer, the standard library.
"""

import base64
import html
import json
import math
import os
import sys
import tempfile

#: Characters of output that a cell's streams keep in the notebook, so that a viewer can still show
#: it; the log has all.
MOST_TEXT = 1 << 20


class _Record:
    """The executed notebook and its report, written whole after every part."""

    def __init__(self, parts, notebook_path, report_path):
        # Absolute, since cells may change the folder.
        self.paths = os.path.abspath(notebook_path), os.path.abspath(report_path)
        self.cells = [_cell(number, part) for number, part in enumerate(parts)]
        self.current = None
        self.room = 0
        self.clear_on_next = False
        self.displays = {}

    def begin(self, number):
        self.current = self.cells[number]
        self.current["execution_count"] = number + 1
        self.room = MOST_TEXT
        self.clear_on_next = False

    def add(self, output):
        if self.current is None:
            return
        if self.clear_on_next:
            self.clear(wait=False)
        self.current["outputs"].append(output)

    def stream(self, name, text):
        if self.current is None or self.room <= 0:
            return
        self.room -= len(text)
        if self.room <= 0:
            text = text[: self.room + len(text)] + "\n… The rest is in the log.\n"
        outputs = self.current["outputs"]
        if self.clear_on_next or not outputs or outputs[-1].get("name") != name:
            # The pieces of a text are joined when it is written.
            self.add({"output_type": "stream", "name": name, "text": []})
        self.current["outputs"][-1]["text"].append(text)

    def display(self, data, metadata, transient, update):
        display_id = (transient or {}).get("display_id")
        if update:
            for output in self.displays.get(display_id, []):
                output.update(data=data, metadata=metadata)
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        if display_id is not None:
            self.displays.setdefault(display_id, []).append(output)
        self.add(output)

    def clear(self, wait):
        self.clear_on_next = wait
        if not wait and self.current is not None:
            del self.current["outputs"][:]
            self.room = MOST_TEXT

    def write(self):
        version = "%d.%d.%d" % sys.version_info[:3]
        cells = [dict(cell, outputs=list(map(_finished, cell["outputs"]))) for cell in self.cells]
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python", "version": version},
            },
            "cells": cells,
        }
        _write(self.paths[0], _json(notebook))
        _write(self.paths[1], _report(cells))


def _cell(number, part):
    return {
        "cell_type": "code",
        "id": "part-%d" % (number + 1),
        "metadata": {"title": part["title"], "selected": part["selected"]},
        "execution_count": None,
        "source": part["source"],
        "outputs": [],
    }


def _finished(output):
    if output["output_type"] == "stream":
        return dict(output, text="".join(output["text"]))
    return output


def _json(value):
    """Strict JSON: libraries put numbers of NumPy and NaN into their outputs."""
    try:
        return json.dumps(value, default=_as_json, allow_nan=False)
    except ValueError:
        loose = json.loads(json.dumps(value, default=_as_json, skipkeys=True))
        return json.dumps(_without_nan(loose))


def _as_json(value):
    for method in ("tolist", "item"):
        if hasattr(value, method):
            return getattr(value, method)()
    return str(value)


def _without_nan(value):
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return list(map(_without_nan, value))
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value


def _write(path, text):
    """Replaces a file whole: a reader never sees half of it."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
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
        '<!DOCTYPE html><html><head><meta charset="utf-8"><style>%s</style></head>'
        "<body>%s</body></html>"
    ) % (style, "\n".join(body) or "<p>The step displayed nothing.</p>")


def _output_html(output):
    kind = output["output_type"]
    if kind == "stream":
        return "<pre>%s</pre>" % html.escape(output["text"])
    if kind == "error":
        return '<pre class="error">%s</pre>' % html.escape("\n".join(output["traceback"]))
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
