"""fulltape: a self-hosted market-data node.

`fulltape.open(path)` reads a node's lake; everything else is the command line (`fulltape --help`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fulltape.version import VERSION

if TYPE_CHECKING:
    from os import PathLike

    from fulltape.reader import Reader

__version__ = VERSION
__all__ = ["__version__", "open"]


def open(path: str | PathLike[str]) -> Reader:  # noqa: A001
    """Open the node in folder `path` for reading; polars is imported now, not with the package."""
    from fulltape.reader import Reader

    return Reader(path)
