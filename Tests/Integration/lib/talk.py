# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What was said in a conversation, as values that can be compared and read."""

from .wire import error_fields, row_values


def said(wire, *parts):
    """Sends the parts in one go and returns the answers up to the last ReadyForQuery they ask for.

    Each is its letter, with what matters of it: the values of a row, a command's tag, an error's code and message, and
    the place in the text, if it tells one.
    """
    ready = sum(part[:1] in (b"Q", b"S", b"F") for part in parts)
    return told(wire.exchange(b"".join(parts), ready))


def told(messages):
    return [_shown(kind, body) for kind, body in messages if kind not in (b"S", b"N")]


def _shown(kind, body):
    if kind == b"E":
        fields = error_fields(body)
        return "E", fields["C"], fields["M"], *([f"at {fields['P']}"] if "P" in fields else [])
    if kind == b"D":
        return "D", *(None if value is None else value.decode(errors="backslashreplace") for value in row_values(body))
    if kind == b"T":
        return "T", *_column_names(body)
    if kind in (b"C", b"Z"):
        return kind.decode(), body.rstrip(b"\0").decode()
    return (kind.decode(),)


def _column_names(body):
    at = 2
    while at < len(body):
        end = body.index(b"\0", at)
        yield body[at:end].decode()
        at = end + 19


def rows_of(answers):
    return [answer[1:] for answer in answers if answer[0] == "D"]


def codes_of(answers):
    return [answer[1] for answer in answers if answer[0] == "E"]
