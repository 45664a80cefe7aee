"""Reading: one symbol, one day, everything; beside DuckDB, polars and ArcticDB."""
