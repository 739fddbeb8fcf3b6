"""The one kind of error that is the user's to mend."""


class InputError(Exception):
    """Wrong input: its text is one line that names the value, what is allowed, the way out."""
