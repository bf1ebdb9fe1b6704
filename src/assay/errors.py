"""The one exception a user's mistake may end in."""


class UserError(Exception):
    """A mistake a person can mend: one line that says what, where and how to mend it.

    Entrypoints and the command line print it without a traceback and exit with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ConfigError(UserError):
    """An unknown key, a wrong type, a value out of range, or a name that does not exist in conf/."""
