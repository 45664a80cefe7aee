"""The algebra of coverage: what is wanted of a series, what each source showed, and what that makes of every cell.

Belongs here: decisions about presence and absence, over ranges of sessions. Pure, and without polars.
"""
