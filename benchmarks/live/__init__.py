"""Live capture beside bare clients and another project's capture."""
