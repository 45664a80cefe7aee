"""The words of the domain, pure: no I/O, no clock, no polars at import time.

Belongs here: values, algebra, declarations and decisions that every room shares. Does not belong here: anything
that opens, sends, sleeps or asks what time it is.
"""
