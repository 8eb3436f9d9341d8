"""Wire formats other than chat completions, each translated from or into them; pure, without I/O."""
