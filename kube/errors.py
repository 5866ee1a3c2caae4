"""What goes wrong in this room, as one tree. None of these texts quotes a value of a file: files hold credentials.

KubeError
├── KubeconfigError          which cluster cannot be told: no kubeconfig, none that can be read, no such context
├── ClusterUnreachableError  no answer from the API server, or no login
├── NoKubectlError           there is no kubectl on PATH, by which the API server is asked
├── UnknownTypeError         the API server does not have this type of object
├── TimeLimitError           a program did not end in time
└── YamlError                a file that is no YAML as Kubernetes reads it (a ValueError, too)
"""


class KubeError(Exception):
    """Base of all errors of this room; its text is for people, who need no traceback."""


class KubeconfigError(KubeError):
    """`key` is the setting to change: `kubernetes:kubeconfig` or `kubernetes:context`."""

    def __init__(self, key: str, found: str, expected: str, example: str) -> None:
        super().__init__(f"{key}: {found}; nothing was touched\n      expected: {expected}\n      example:  {example}")


class ClusterUnreachableError(KubeError):
    """No answer came: `context` of the kubeconfig, `cause` in one line."""

    def __init__(self, context: str, cause: str) -> None:
        self.context, self.cause = context, cause
        super().__init__(
            f"kubernetes:context: the cluster of context {context} cannot be asked: {cause}; nothing was touched\n"
            "      expected: a running cluster that this machine can reach, and a login that it takes\n"
            f"      example:  kubectl --context {context} version"
        )


class NoKubectlError(KubeError):
    """There is no kubectl on PATH."""


class UnknownTypeError(KubeError):
    """The API server does not have a type of object."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f'no matches for kind "{kind}" in version "{api_version}"')


class TimeLimitError(KubeError):
    """A program did not end within its seconds, and was ended with all that it had started."""


class YamlError(KubeError, ValueError):
    """What is wrong in a file of YAML, and where: `place` names it, `line` counts from 1, 0 where it is not known.

    Of the file's contents `problem` names keys alone.
    """

    def __init__(self, place: object, line: int, problem: str) -> None:
        self.line, self.problem = line, problem
        super().__init__(f"{place}: line {line}: {problem}" if line else f"{place}: {problem}")
