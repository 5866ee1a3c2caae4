"""Reads the commands out of the README and the pages of docs/."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    """Return the contents of the fenced blocks in a language, in order."""
    return [content for kind, content in _BLOCK.findall(text) if kind == language]


def make_commands(text: str) -> set[str]:
    """Return every `make ...` that a page tells people to type: in code spans, and behind a prompt."""
    spans = re.findall(r"`(make [^`\n]+)`", text) + re.findall(r"^\$ (make .+)$", text, re.MULTILINE)
    return {span.strip() for span in spans}
