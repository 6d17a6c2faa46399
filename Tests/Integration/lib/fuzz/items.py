# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What a client sends, in pieces that can be left out one by one without leaving the other side waiting."""

import struct
from dataclasses import dataclass

from ..wire import cstring, message

#: After these the server sends what it has, so that a client may wait for its answers.
FLUSHING = frozenset("SQFH")


@dataclass
class Item:
    """One message, or several that only make sense together, such as COPY and its data.

    `asked` has a letter for each reply that the server owes: P, B, C, E, S, Q and F as the messages are called, s and D
    for a description of a statement and of a portal. `flushes` is whether the server sends its answers after this item.
    """

    label: str
    data: bytes
    asked: str = ""
    flushes: bool = False
    wait: bool = False
    cancel: bool = False
    kind: str = ""
    #: Whether the program would mean something else without it.
    keep: bool = False


def query(sql, **more):
    return Item(f"Query {sql!r}", message(b"Q", text(sql)), "Q", flushes=True, **more)


def text(sql):
    return cstring(sql)


def parse(name, sql, types=()):
    body = cstring(name) + text(sql) + struct.pack(f"!H{len(types)}I", len(types), *types)
    note = f" types {list(types)}" if types else ""
    return Item(f"Parse {name!r} {sql!r}{note}", message(b"P", body), "P")


def bind(portal, statement, values=(), binary=False):
    body = cstring(portal) + cstring(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        encoded = None if value is None else value.encode()
        body += struct.pack("!i", -1) if encoded is None else struct.pack("!i", len(encoded)) + encoded
    body += struct.pack("!HH", 1, 1) if binary else struct.pack("!H", 0)
    note = " binary" if binary else ""
    return Item(f"Bind {portal!r} to {statement!r} {list(values)}{note}", message(b"B", body), "B")


def describe(what, name):
    return Item(f"Describe {what} {name!r}", message(b"D", what.encode() + cstring(name)), "s" if what == "S" else "D")


def execute(portal="", limit=0):
    return Item(f"Execute {portal!r} limit {limit}", message(b"E", cstring(portal) + struct.pack("!I", limit)), "E")


def close(what, name):
    return Item(f"Close {what} {name!r}", message(b"C", what.encode() + cstring(name)), "C")


def flush():
    return Item("Flush", message(b"H"), "", flushes=True)


def sync():
    return Item("Sync", message(b"S"), "S", flushes=True)


def function_call(oid, values, binary=False):
    body = struct.pack("!IHH", oid, 0, len(values))
    for value in values:
        encoded = None if value is None else value.encode()
        body += struct.pack("!i", -1) if encoded is None else struct.pack("!i", len(encoded)) + encoded
    body += struct.pack("!H", int(binary))
    return Item(f"FunctionCall {oid} {list(values)}", message(b"F", body), "F", flushes=True)


def copy_end(pieces, failure):
    """CopyData for each piece, then CopyDone, or CopyFail with a reason."""
    data = b"".join(message(b"d", piece.encode()) for piece in pieces)
    return data + (message(b"c") if failure is None else message(b"f", cstring(failure)))


def with_copy(item, pieces, failure=None):
    """`item`, which starts COPY FROM STDIN, and what it copies."""
    end = "CopyDone" if failure is None else f"CopyFail {failure!r}"
    return Item(f"{item.label} + CopyData {pieces!r} + {end}", item.data + copy_end(pieces, failure), item.asked,
                item.flushes)


def batches(items):
    """The items in groups that are sent in one go; after each one a client waits for all its answers."""
    group = []
    for item in items:
        if item.cancel and group:
            if not group[-1].flushes:
                group.append(sync())
            yield group
            group = []
        group.append(item)
        if item.flushes and (item.wait or item.cancel):
            yield group
            group = []
    if group:
        if group[-1].asked[-1:] not in ("S", "Q", "F"):
            group.append(sync())
        yield group
