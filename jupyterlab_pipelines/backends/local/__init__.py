"""The embedded engine: runs compiled pipelines as processes on this machine."""
