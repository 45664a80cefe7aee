"""Decoding: from a vendor's bytes to rows in a dataset's declared columns.

Belongs here: how fields, pages, archives and messages are read, for any vendor. Pure.
"""
