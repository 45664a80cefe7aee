"""`make bench-truth`: what must never be called empty, GREEN or verified."""
