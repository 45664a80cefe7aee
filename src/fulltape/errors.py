"""Every error that fulltape raises on purpose, named for what the caller does next.

The command line prints `message` and `hint` and exits with `exit_code`; a traceback is only ever shown for a
defect of fulltape itself.
"""

from __future__ import annotations


class FulltapeError(Exception):
    """Root of all deliberate errors: what happened, to what (`message`), and what to do (`hint`)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(FulltapeError):
    """The command was called with something it cannot take; call it differently."""

    exit_code = 2


class ConfigError(FulltapeError):
    """A setting is wrong; `where` names file and line. Mend the file; nothing has started."""

    exit_code = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.where = where


class NodeNotFoundError(ConfigError):
    """There is no node in this folder; create one or name another."""


class VendorError(FulltapeError):
    """A vendor cannot be used until the user acts."""

    exit_code = 3


class CredentialsRefusedError(VendorError):
    """The vendor refused our key; the source stays stopped until the settings change."""


class StorageError(FulltapeError):
    """The disk, the ledger or the lake cannot do what was asked; nothing acknowledged is lost."""

    exit_code = 4


class LedgerTooNewError(StorageError):
    """The ledger was written by a newer fulltape; install that version."""


class LedgerTooOldError(StorageError):
    """The ledger was written by an older fulltape, and who only reads does not bring it forward."""


class LedgerBehindError(StorageError):
    """The lake holds what the ledger does not know: the ledger is lost or older; restore or rebuild it."""


class ForeignLakeError(StorageError):
    """The lake belongs to another node; point this one at its own."""


class MissingObjectError(StorageError):
    """There is no such object in the lake."""


class ObjectExistsError(StorageError):
    """The object is there already; another writer was first."""


class BusyError(StorageError):
    """Another process holds the lock; wait for it or stop it."""

    exit_code = 75
    """EX_TEMPFAIL: nothing is wrong, try again later."""


class CorruptPartError(StorageError):
    """A file of the lake does not have the digest that the ledger recorded; restore it from a bundle."""


class BundleError(StorageError):
    """A bundle is not there, or is not what its checksums say."""


class TransportError(FulltapeError):
    """A request got no usable answer (refused, reset, timed out, cut short); asking again may help."""

    exit_code = 3


class UnreachableError(TransportError):
    """There was no connection at all: nothing is known about what was asked, only that there is no answer."""
