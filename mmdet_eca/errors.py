class UserError(ValueError):
    """A mistake in a config, an argument or a file, not in the code.

    The message names the value and what would be right; the command-line tools
    print it without a traceback.
    """
