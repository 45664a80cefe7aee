"""Ends the growth of what grows: rows and files that nothing needs any more.

Belongs here: what goes, when and why. Does not belong here: raw parts and journals that are not sealed; they stay.
"""
