"""`python -m jupyterlab_pipelines.cli`, for where the script is not on the path."""

from __future__ import annotations

from . import main

raise SystemExit(main())
