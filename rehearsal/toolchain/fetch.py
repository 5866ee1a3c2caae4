"""Downloads of the vendors' releases: short time limits, checksums where there are any, nothing half-made kept."""

import hashlib
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests

from rehearsal.errors import UnavailableError
from rehearsal.toolchain.artifacts import Download

CONNECT: Final = 5.0  # seconds until a host counts as out of reach
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}|[0-9a-fA-F]{128}")
READ: Final = 60.0  # seconds without a byte
CHUNK: Final = 1 << 20
# Otherwise a server may declare an archive's own compression as one of the transfer, and the checksum would not match.
AS_IT_IS: Final = {"Accept-Encoding": "identity"}


class Fetcher:
    """Fetches files and remembers for one run which hosts are out of reach, so that none is waited for twice."""

    def __init__(self) -> None:
        self._dead: set[str] = set()

    def download(self, what: Download, into: Path, scratch: Path, tick: Callable[[str], None]) -> None:
        """Fetch one file, check it and put what it holds into the folder `into`; `scratch` is for files on the way.

        `tick` is called with the progress. Raises UnavailableError, for a checksum that is not the vendor's, too.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        file = scratch / "download"
        try:
            expected = self._checksum(what) if what.checksum else ""
            self._stream(what.url, file, tick)
        except requests.RequestException as error:
            raise UnavailableError(str(error)) from None
        with file.open("rb") as got:
            found = hashlib.file_digest(got, "sha512" if len(expected) == 128 else "sha256").hexdigest()
        if expected and found != expected:
            file.unlink()
            raise UnavailableError(f"the checksum of {what.url} is not the published one; the file is not used")
        if what.members:
            _extract(file, what.members, into, scratch / "extracted")
        else:
            file.rename(into / what.name)

    @contextmanager
    def _get(self, url: str) -> Iterator[requests.Response]:
        """Give the response for the time of the `with`; a host that does not answer is not asked again."""
        host = urlsplit(url).netloc
        if host in self._dead:
            raise UnavailableError(f"{host} cannot be reached")
        try:
            response = requests.get(url, headers=AS_IT_IS, stream=True, timeout=(CONNECT, READ))
        except (requests.ConnectionError, requests.Timeout):
            self._dead.add(host)
            raise UnavailableError(f"{host} cannot be reached") from None
        with response:
            response.raise_for_status()
            yield response

    def _checksum(self, what: Download) -> str:
        """Return the published checksum in hexadecimal; a list that lacks the file is as good as none at all."""
        with self._get(what.checksum) as response:
            text = response.text
        wanted = urlsplit(what.url).path.rpartition("/")[2]
        for line in text.splitlines():
            words = line.split()
            if words and _DIGEST.fullmatch(words[0]) and (len(words) == 1 or words[-1].lstrip("*") == wanted):
                return words[0].lower()
        raise UnavailableError(f"{what.checksum} has no checksum of {wanted}")

    def _stream(self, url: str, file: Path, tick: Callable[[str], None]) -> None:
        """Write what an address serves to a file."""
        got = 0
        with self._get(url) as response, file.open("wb") as out:
            total = int(response.headers.get("Content-Length") or 0) // CHUNK
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                got += len(chunk)
                tick(f"{got // CHUNK} of {total} MB" if total else f"{got // CHUNK} MB")


def _extract(archive: Path, members: tuple[tuple[str, str], ...], into: Path, scratch: Path) -> None:
    """Take files or folders out of a tar archive and put them under their new names.

    Only what is asked for is unpacked, and with Python's "data" filter: nothing outside the folder, no devices, no
    links that lead away. It exists from Python 3.11.4 on; on an older one the archive is not unpacked at all.
    """
    if not hasattr(tarfile, "data_filter"):
        raise UnavailableError("this Python cannot unpack archives safely (3.11.4 or newer can)")
    try:
        with tarfile.open(archive) as opened:
            for source, target in members:
                chosen = [m for m in opened.getmembers() if f"{m.name.removeprefix('./')}/".startswith(f"{source}/")]
                opened.extractall(scratch, members=chosen, filter="data")
                (scratch / source).rename(into / target)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UnavailableError(f"{archive.name} does not hold what it should ({error})") from None
