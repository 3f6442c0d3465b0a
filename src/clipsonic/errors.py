"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """Wrong input or surroundings: one line that says what is wrong and what to do.

    The command line prints it and exits with code 2; a library user catches it. Everything else that is raised
    is a mistake of ours.
    """


def first_line(error: BaseException) -> str:
    """What another library says of an error, in one line."""
    return next(iter(str(error).splitlines()), type(error).__name__)
