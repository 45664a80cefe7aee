"""Sends the node's files to places of their own, reads each back, and brings a node back from such a place.

Belongs here: which files are sent, what was proved, and what a place keeps. Does not belong here: how places are written and read
(`remote`).
"""
