"""The heat map of a node's coverage: a byte for each cell, drawn once for all pages that show it.

Belongs here: what a byte means, how tiles are made and kept. Does not belong here: what availability and verdicts are
(`coverage/`), and how a page looks (`web/`).
"""
