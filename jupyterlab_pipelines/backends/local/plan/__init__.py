"""The pure planner: from a pipeline and what has ended to what runs next. No I/O, no processes."""
