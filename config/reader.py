"""Reads a stack's keys one by one, and keeps every problem instead of stopping at the first."""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from config import keys, types
from config.errors import InvalidValue, Problem
from config.keys import BY_NAME, KEYS, PROJECT
from config.types import ValueType

NOT_SHOWN: Final = "a value that does not fit (not shown)"


class Secret:
    """A text that is never printed: `repr` and `str` show `***`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for a check or for the engine."""
        return self._text

    def output(self) -> pulumi.Output[str]:
        """Return the text as a secret output, encrypted in the state and masked in every diff."""
        return pulumi.Output.secret(self._text)

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass
class Reader:
    """Reads keys one by one and keeps every problem. `config` and `secrets` are as `settings.read` takes them."""

    config: Mapping[str, Any]
    secrets: Collection[str]
    profile: str = keys.PROFILES[0]
    problems: list[Problem] = field(default_factory=list)

    def tell(self, name: str, shown: str, expected: str, example: str = "") -> None:
        """Keep a problem.

        `name` is a key or a part of one, such as `tiller.role`; `shown` is what was found, "" if it is missing. Without
        an example, it is the command that sets the key.
        """
        full = name if ":" in name else f"{PROJECT}:{name}"
        self.problems.append(Problem(full, shown, expected, example or BY_NAME[full.split(".")[0]].command))

    def refuse(self, name: str, found: object, expected: str, example: str = "") -> None:
        """Keep a problem, as `tell` does; `found` is the value itself, None for what is missing."""
        self.tell(name, "" if found is None else repr(found), expected, example)

    def is_refused(self, name: str) -> bool:
        """Whether a problem of a key of ours is kept already."""
        return any(problem.key == f"{PROJECT}:{name}" for problem in self.problems)

    def hidden(self, full: str) -> bool:
        """Tell whether a key came encrypted though it is none of the secret ones, and refuse it then.

        Whoever encrypted it wants it hidden, and it would not be: previews, outputs and the state show it.
        """
        key = BY_NAME[full]
        if full not in self.secrets or key.secret or not self.given(key.name, key.namespace):
            return False
        self.tell(full, "an encrypted value (not shown)", "a plain one, since previews show it")
        return True

    def given(self, name: str, namespace: str = PROJECT) -> str:
        """Return what the stack says, as a text; "" for nothing."""
        value = self.config.get(f"{namespace}:{name}")
        if value is None:
            return ""
        if isinstance(value, bool | dict | list):
            return json.dumps(value)
        return str(value)

    def value(self, name: str, namespace: str = PROJECT) -> Any:
        """Return a key's value or its default, read by its type; None if there is neither."""
        key = BY_NAME[f"{namespace}:{name}"]
        text = "" if self.hidden(key.full) else self.given(name, namespace)
        if not self.given(name, namespace) and key.required:
            self.refuse(key.full, None, described(key))
        default = key.default(self.profile)
        try:
            return key.type.read(text) if text else key.type.read(default) if default else None
        except InvalidValue as unfit:
            self.refuse(key.full, text, str(unfit))
            return key.type.read(default) if default else None

    def text(self, name: str, default: str = "", namespace: str = PROJECT) -> str:
        """Return a key's text, or `default`."""
        value = self.value(name, namespace)
        if isinstance(value, str) and value[:1] in ("{", "["):
            self.refuse(f"{namespace}:{name}", value, "a text")
            return default
        return default if value is None else str(value)

    def secret(self, name: str) -> Secret | None:
        """Return a secret, or None. One whose type is not just a text must fit it."""
        key = BY_NAME[f"{PROJECT}:{name}"]
        value = self.given(name)
        if not value:
            return None
        if key.full not in self.secrets:
            self.tell(name, "a secret in clear", "an encrypted value, so that it is safe in git")
            return None
        try:
            # A password may be of several lines, as Google's keys are.
            if key.type is not types.TEXT:
                key.type.read(value)
        except InvalidValue as unfit:
            self.tell(name, NOT_SHOWN, str(unfit))
            return None
        return Secret(value)

    def fitting(self, name: str, value: str, wanted: ValueType, example: str) -> None:
        """Refuse a part of a map that does not fit its type."""
        try:
            wanted.read(value)
        except InvalidValue as unfit:
            self.refuse(name, value, str(unfit), example)

    def mapping(self, name: str, known: Collection[str]) -> dict[str, str]:
        """Return a map with none but known keys; a null counts as not set."""
        full = f"{PROJECT}:{name}"
        value = None if self.hidden(full) else self.config.get(full)
        found = value or {}
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                found = None
        if not isinstance(found, dict):
            self.refuse(name, value, f"a map with the keys {', '.join(known)}")
            return {}
        for unknown in sorted(set(found) - set(known)):
            example = f"pulumi config rm --path {name}.{unknown}"
            self.refuse(f"{name}.{unknown}", found[unknown], nearest(unknown, known), example)
        return {k: str(v) for k, v in found.items() if k in known and v is not None}

    def unknown_keys(self) -> None:
        """Refuse every key of ours that is in no table."""
        known = [key.name for key in KEYS if key.namespace == PROJECT]
        for full in sorted(self.config):
            namespace, _, name = full.partition(":")
            if namespace == PROJECT and full not in BY_NAME:
                self.tell(full, "an unknown key", nearest(name, known), f"pulumi config rm {name}")


def described(key: keys.Key) -> str:
    """Return what a key is for, as part of a sentence."""
    return key.what[:1].lower() + key.what[1:]


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name that was probably meant, or all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"perhaps {close[0]}"
    return f"one of {', '.join(sorted(known))}" if len(known) < 12 else "one of the keys that docs/settings.md lists"
