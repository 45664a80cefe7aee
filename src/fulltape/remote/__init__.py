"""Places where a node's files are kept a second time: a folder, a folder of another machine, object storage.

Belongs here: how such a place is addressed, written and read, and the index of what a node has put there. Does not belong here:
which files are sent, and when.
"""
