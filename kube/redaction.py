"""Secrets taken out of texts before they are shown."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

LONGEST: Final = 600
_HIDDEN: Final = "[secret]"
# Of letters: anything as short stands in every text.
_SHORTEST: Final = 2
# A line of a secret this short ("}", "else:") tells nothing by itself.
_SHORTEST_LINE: Final = 4
# Of base64: a shorter part of it may stand in any text, and a longer secret is code, which nobody puts into a login.
_SHORTEST_CODED: Final = 6
_LONGEST_CODED: Final = 4096


class Mask:
    """Takes secrets out of texts: as they are, in base64 and as JSON writes them, in whatever the server quotes.

    Base64 may be of more than the secret: of `user:password`, and of a whole docker config with that in it. Of a secret
    with several lines each line is one, since texts are taken apart by lines and put together again.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        texts = [*secrets]
        forms = {form for secret in texts for form in _forms(secret) if len(form) > _SHORTEST}
        coded = {form for secret in texts if len(secret) <= _LONGEST_CODED for form in _coded_forms(secret)} - forms
        # The longest first: one secret may be a part of another. A sign at the edge of base64 is half the secret's.
        patterns = {form: re.escape(form) for form in forms}
        patterns |= {form: f"[A-Za-z0-9+/]?{re.escape(form)}[A-Za-z0-9+/]?=*" for form in coded}
        ordered = [patterns[form] for form in sorted(patterns, key=len, reverse=True)]
        self._pattern = re.compile("|".join(ordered)) if ordered else None

    def __call__(self, text: str, longest: int = LONGEST) -> str:
        """Return the text with every secret replaced, cut to `longest` signs where a whole object was quoted."""
        shown = self._pattern.sub(_HIDDEN, text) if self._pattern else text
        return shown if len(shown) <= longest else f"{shown[: longest // 2]} ... {shown[-longest // 2 :]}"


def _forms(secret: str) -> Iterator[str]:
    yield base64.b64encode(secret.encode()).decode()
    lines = [line.strip() for line in secret.splitlines()]
    for text in (secret, " ".join(filter(None, lines)), *(one for one in lines if len(one) > _SHORTEST_LINE)):
        yield from _written(text)


def _written(text: str) -> Iterator[str]:
    yield text
    for ascii_only in (False, True):
        written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield written
        # As Go writes it.
        yield re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", written)


def _coded_forms(secret: str) -> Iterator[str]:
    """Yield what every base64 of a text with the secret in it has, and every base64 of a text with that in it."""
    for text in {*_written(secret)}:
        for once in _coded(text):
            yield once
            yield from _coded(once)


def _coded(text: str) -> Iterator[str]:
    """Yield the part of base64 that a text alone decides, for each of its three places in a group of three bytes."""
    given = text.encode()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + given).decode().rstrip("=")
        # Six bits a sign.
        part = whole[-(-before * 8 // 6) : (before + len(given)) * 8 // 6]
        if len(part) >= _SHORTEST_CODED:
            yield part
