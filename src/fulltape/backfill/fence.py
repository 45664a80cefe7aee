"""Which instruments of a class are for sources that ask for many symbols, and which for those that ask for one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Fence:
    """Divides the instruments of a class: those up to `stop` are for sources that ask for many symbols, and of these
    only those up to `reach` for now; `names` are those that the others have not walked past from the end."""

    names: list[str]
    stop: int
    reach: int
    block: int

    @property
    def before(self) -> str:
        """The first instrument that the sources of many symbols leave alone for now."""
        return self.names[min(self.stop, self.reach)] if min(self.stop, self.reach) < len(self.names) else ""

    def widen(self) -> bool:
        """Let them reach further; False if there is nothing further."""
        if self.reach >= self.stop:
            return False
        self.reach += self.block
        return True
