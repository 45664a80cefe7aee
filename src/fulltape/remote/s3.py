"""Objects in object storage that speaks S3."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, BinaryIO, cast

from fulltape import errors
from fulltape.lake.objects import Content, StoredObject, check_key, pieces

_CHUNK = 8 << 20
"""Bytes of one part of a large upload: with two on their way, and 10,000 at most, an object has up to 80 GB."""
_RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


class S3Objects:
    """See `lake.objects.Objects`. Keys and region come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION), the
    address of another storage than Amazon's from AWS_ENDPOINT_URL. An upload that is cut off leaves parts in the storage that no
    listing shows: a lifecycle rule of the bucket removes them."""

    def __init__(self, bucket: str, prefix: str) -> None:
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError:
            raise errors.UsageError(
                "object storage needs the extra `s3`.", hint='Install it: pip install "fulltape[s3]".'
            ) from None
        self._obstore = obstore
        self._bucket = bucket
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        config: Any = {"region": os.environ.get("AWS_REGION", "us-east-1")}
        if endpoint:
            config["endpoint"] = endpoint
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": timedelta(seconds=120)},
            retry_config=_RETRIES,
        )

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """See `Objects`."""
        folder = prefix.rpartition("/")[0]  # a prefix of the storage ends with a name
        there = []
        with self._failing(prefix):
            for batch in self._obstore.list(self._store, prefix=folder or None):
                there += [StoredObject(key=entry["path"], size=entry["size"]) for entry in batch]
        yield from sorted((entry for entry in there if entry.key.startswith(prefix)), key=lambda e: e.key)

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """See `Objects`."""
        check_key(key)
        with self._failing(key):
            options: Any = {"range": {"offset": offset}} if offset else None
            try:
                result = self._obstore.get(self._store, key, options=options)
            except self._obstore.exceptions.GenericError as error:
                if offset and "416" in str(error):  # the range begins where the object ends
                    return io.BytesIO()
                raise
            pieces_of = (bytes(piece) for piece in result.stream(min_chunk_size=1 << 20))
            return cast("BinaryIO", io.BufferedReader(_Pieces(pieces_of, self, key)))

    def write(self, key: str, content: Content, *, only_new: bool = False) -> StoredObject:
        """See `Objects`."""
        check_key(key)
        count = _Counted()
        with self._failing(key):
            if only_new:  # a condition holds for an object that is sent at once
                body = b"".join(pieces(content))
                count.bytes = len(body)
                self._obstore.put(self._store, key, body, mode="create")
            else:
                self._obstore.put(
                    self._store, key, count.over(pieces(content)), chunk_size=_CHUNK, max_concurrency=2
                )
        return StoredObject(key=key, size=count.bytes)

    def delete(self, key: str) -> None:
        """See `Objects`."""
        check_key(key)
        with self._failing(key), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, key)

    def tidy(self) -> None:
        """See `Objects`: an upload that was cut off shows nowhere."""

    @contextlib.contextmanager
    def _failing(self, key: str) -> Iterator[None]:
        """What the storage says becomes one of our errors."""
        where = f"s3://{self._bucket}/{key}"
        known = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError:
            raise errors.MissingObjectError(f"there is no {key} in the bucket {self._bucket}.") from None
        except known.AlreadyExistsError:
            raise errors.ObjectExistsError(f"{where} is there already.") from None
        except (known.PermissionDeniedError, known.UnauthenticatedError):
            raise errors.StorageError(
                f"{where}: the storage refuses our key.",
                hint="Look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and at what they may do in this bucket.",
            ) from None
        except known.BaseError as error:
            raise self._told(where, str(error)) from None

    def _told(self, where: str, text: str) -> errors.StorageError:
        if "NoSuchBucket" in text:
            return errors.StorageError(f"there is no bucket {self._bucket}.", hint="Make it first.")
        if "error sending request" in text:
            return errors.StorageError(
                f"{where}: the storage does not answer.", hint="AWS_ENDPOINT_URL is its address."
            )
        first = text.partition("\n")[0]
        return errors.StorageError(f"{where}: {first}")


class _Counted:
    """Bytes that went through."""

    def __init__(self) -> None:
        self.bytes = 0

    def over(self, many: Iterator[bytes]) -> Iterator[bytes]:
        """The same pieces, counted."""
        for piece in many:
            self.bytes += len(piece)
            yield piece


class _Pieces(io.RawIOBase):
    """Pieces of an answer as a file."""

    def __init__(self, many: Iterator[bytes], store: S3Objects, key: str) -> None:
        self._many, self._store, self._key = many, store, key
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        while not self._rest:
            with self._store._failing(self._key):  # noqa: SLF001 — of this file
                piece = next(self._many, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
