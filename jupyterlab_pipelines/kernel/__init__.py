"""What works inside a notebook's kernel: magics and the live run view."""
