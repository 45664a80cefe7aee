"""fulltape.toml and the environment, as frozen typed values.

Belongs here: every key with its type, default, unit and reason (`model.py`), and reading, expanding and locating them
(`load.py`). Does not belong here: whether a vendor of that name exists (`node/assemble.py` puts the two together).
"""
