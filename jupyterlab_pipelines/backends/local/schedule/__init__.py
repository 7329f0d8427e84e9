"""When a recurring run fires, and what its parameters then say: pure, on whole seconds UTC."""
