"""Reading: what the rows are made of that users get.

Belongs here: what a reader's arguments mean, which files hold the rows, and how they are adjusted, resampled and cut, all of it lazily.
Does not belong here: anything that changes a node.
"""
