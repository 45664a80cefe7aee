"""Adjusted and resampled reads: what they cost beside the raw scan, and beside polars by hand."""
