"""shown.py - reads what print_shown.c has printed."""


def values(line):
    """The octets that stand behind the first word of a line."""
    return [b"" if word == "-" else bytes.fromhex(word) for word in line.split()[1:]]
