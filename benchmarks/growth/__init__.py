"""Growth: what a night costs on nodes that hold much, against nodes that hold little."""
