"""Reads a stack's keys one by one, and keeps every problem instead of stopping at the first."""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.errors import InvalidValue, Problem
from config.keys import BY_NAME, KEYS, PROJECT, Key, qualified, set_command
from config.types import Secret, ValueType, hidden


@dataclass
class Reader:
    """Reads keys one by one and keeps every problem. `config` and `secrets` are as `settings.read` takes them.

    A key is named as in the stack's file; one of ours may come without `binderhub:`.
    """

    config: Mapping[str, Any]
    secrets: Collection[str]
    profile: str = "dev"
    problems: list[Problem] = field(default_factory=list)
    # Secrets that ended in newlines, which files end in and no login takes: they are left out.
    trimmed: set[str] = field(default_factory=set)

    def tell(self, name: str, shown: str, expected: str, example: str = "") -> None:
        """Keep a problem.

        `name` is a key or a part of one, such as `tiller.role`; `shown` is what was found, "" if it is missing. Without
        an example, it is the command that sets the key.
        """
        full = qualified(name)
        self.problems.append(Problem(full, shown, expected, example or BY_NAME[full.split(".")[0]].command))

    def refuse(self, name: str, found: object, expected: str, example: str = "") -> None:
        """Keep a problem, as `tell` does; `found` is the value itself, None for what is missing."""
        self.tell(name, "" if found is None else repr(found), expected, example)

    def is_refused(self, name: str) -> bool:
        """Whether a problem of a key is kept already."""
        return any(problem.key == qualified(name) for problem in self.problems)

    def value(self, name: str) -> Any:
        """Return a key's value or its default, as its type reads it or as a `Secret`; None if there is neither.

        Of a key that may come either way, each text of an encrypted value is a `Secret`.
        """
        key = BY_NAME[qualified(name)]
        given = self.config.get(key.full)
        text = "" if given is None else given if isinstance(given, str) else json.dumps(given)
        if not text and key.required:
            self.refuse(name, None, key.what[:1].lower() + key.what[1:])
        if text and self._is_misplaced(key):
            text = ""
        if key.secret:
            text = self.trim(name, text)
        for one in filter(None, (text, key.default(self.profile))):
            is_hidden = key.full in self.secrets and bool(text)
            shown = Secret(one) if key.secret or is_hidden else one
            try:
                value = key.type.read(one)
            except InvalidValue as unfit:
                self.refuse(name, shown, str(unfit))
            else:
                return shown if key.secret else hidden(value) if is_hidden else value
        return None

    def trim(self, name: str, text: str) -> str:
        """Return a secret without newlines at its end, and keep that it had some."""
        short = text.rstrip("\r\n")
        if short != text:
            self.trimmed.add(name)
        return short

    def warnings(self) -> list[str]:
        """Return one line about all secrets that were trimmed, if any was."""
        names = ", ".join(sorted(self.trimmed))
        return [f"newlines at the end of secrets are left out: {names}"] if names else []

    def is_set(self, name: str) -> bool:
        """Whether the stack itself gives a key."""
        return self.config.get(qualified(name)) not in (None, "")

    def mapping(self, name: str, parts: Mapping[str, ValueType], examples: Mapping[str, str]) -> dict[str, str]:
        """Return a map with none but known parts, each of its type; a null counts as not set."""
        found = self.value(name) or {}
        for part, value in found.items():
            if part not in parts:
                expected, example = nearest(part, parts), f"pulumi config rm --path {name}.{part}"
                self.refuse(f"{name}.{part}", value, expected, example)
            elif value is not None:
                try:
                    parts[part].read(str(value))
                except InvalidValue as unfit:
                    example = set_command(f"{name}.{part}", examples[part], path=True)
                    self.refuse(f"{name}.{part}", value, str(unfit), example)
        return {part: str(value) for part, value in found.items() if part in parts and value is not None}

    def unknown_keys(self) -> None:
        """Refuse every key of ours that is in no table."""
        known = [key.name for key in KEYS]
        for full in sorted(self.config):
            namespace, _, name = full.partition(":")
            if namespace == PROJECT and full not in BY_NAME:
                self.tell(full, "an unknown key", nearest(name, known), f"pulumi config rm {name}")

    def _is_misplaced(self, key: Key) -> bool:
        """Refuse a secret in clear, and an encrypted value that is none of the secret ones.

        Whoever encrypted that wants it hidden, and it would not be: previews, outputs and the state show it.
        """
        is_encrypted = key.full in self.secrets
        if key.secret and not is_encrypted:
            self.tell(key.full, "a secret in clear", "an encrypted value, so that it is safe in git")
        elif is_encrypted and not key.secret and not key.either:
            self.tell(key.full, "an encrypted value (not shown)", "a plain one, since previews show it")
        return key.secret != is_encrypted and not key.either


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name that was probably meant, or where all of them are listed."""
    close = difflib.get_close_matches(name, known)
    return f"perhaps {close[0]}" if close else "one of those that docs/settings.md lists"
