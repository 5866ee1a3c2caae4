"""Secrets taken out of texts before they are shown."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

_LONGEST: Final = 600
_HIDDEN: Final = "[secret]"
# Of letters: anything as short stands in every text.
_SHORTEST: Final = 2
# A line of a secret this short ("}", "else:") tells nothing by itself.
_SHORTEST_LINE: Final = 4


class Mask:
    """Takes secrets out of texts: as they are, in base64 and as JSON writes them, in whatever the server quotes.

    Of a secret with several lines each line is one, since texts are taken apart by lines and put together again.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) > _SHORTEST}
        # The longest first: one secret may be a part of another.
        self._pattern = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced, cut where a whole object was quoted."""
        shown = self._pattern.sub(_HIDDEN, text) if self._pattern else text
        return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} ... {shown[-_LONGEST // 2 :]}"


def _forms(secret: str) -> Iterator[str]:
    yield base64.b64encode(secret.encode()).decode()
    lines = [line.strip() for line in secret.splitlines()]
    for text in (secret, " ".join(filter(None, lines)), *(one for one in lines if len(one) > _SHORTEST_LINE)):
        yield text
        for ascii_only in (False, True):
            written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            yield written
            # As Go writes it.
            yield re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", written)
