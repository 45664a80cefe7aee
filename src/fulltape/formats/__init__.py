"""Rows in the formats of other software, out of a node or a bundle.

Belongs here: how a format writes prices, times, splits and dividends. Does not belong here: which rows there are (`reader`).
"""
