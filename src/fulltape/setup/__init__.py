"""A new node, out of a few answers.

Belongs here: what the answers mean and the files that follow from them. Does not belong here: asking (`cli/_interview.py`), and what
settings mean (`settings/`).
"""
