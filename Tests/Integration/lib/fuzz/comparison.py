# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""When two answers are the same, which differences are meant to be, and how a difference is shown."""

import itertools
import re
import struct
from dataclasses import dataclass, field

from ..wire import error_fields, row_values

#: What is made equal before messages are compared, and why.
EXCEPTIONS = {
    "process id of a notification": "names the server that notifies, which is not in the client's cancel key",
    "place of a notification": "a server that has nothing to do sends it at once, else behind the statement that it is at: "
                               "where the pooler waits for answers that comes sooner; only which come, and in which order, is "
                               "compared",
    "table's OID in RowDescription": "tables that a program creates get another OID in each database",
    "pg_temp_N": "the number of a session's temporary schema depends on which servers there are",
    "file, line and routine of errors": "are about the server's source and say nothing more than the code does",
    "place of ParameterStatus": "the pooler sets a server up before the client's bytes: only the state of each "
                                "parameter at ReadyForQuery is compared",
    "ParameterStatus of what servers do not report": "the pooler repeats what the client asked for when it logged in",
    "a cancelled pg_sleep": "may have ended before the cancel came",
    "0A000 healed": "a cached plan whose result changed is prepared anew on a server that did not have it yet",
    "misuse in a failed transaction": "a statement that this server does not have cannot be prepared in a failed "
                                      "transaction: 25P02 comes before 26000, 42P05 or 08P01",
    "isolation level behind a statement that is parsed again": "that takes a snapshot in the batch's transaction, where a "
                                                              "direct session has the statement already: 25001",
    "misuse of a statement that cannot be parsed any more": "a server that does not have it says that before 08P01, and "
                                                            "before the parameters of a Describe",
    "rows of an EXECUTE that is parsed again": "are those of the statement that is there by then, so it is parsed and run at once",
    "description of a FETCH that is parsed again": "is that of the cursor that is there by then, so it is parsed and run at once",
    "refused startup parameter": "without an idle server it is refused before the first query, not at login",
}
_TEMP = re.compile(rb"pg_temp_\d+|pg_toast_temp_\d+")


@dataclass
class Difference:
    """Where two sides part; `batches` are the last things said, each with the labels sent and both answers."""

    client: int
    program: int
    reason: str
    batches: list = field(default_factory=list)
    kinds: list = field(default_factory=list)
    #: Whether the pooler did not even take the connection.
    unreachable: bool = False

    def signature(self):
        """What sort of difference it is, so that a smaller round shows the same one."""
        if not self.batches:
            return (self.reason[:20],)
        _, direct, pooled = self.batches[-1]
        for one, other in itertools.zip_longest(direct, pooled):
            if one is None or other is None or canonical(one) != canonical(other):
                return _sort(one), _sort(other)
        return (self.reason[:20],)

    def text(self, tail=3):
        lines = [f"client {self.client}, program {self.program}: {self.reason}"]
        for labels, direct, pooled in self.batches[-tail:]:
            lines += ["sent:", *(f"    {label}" for label in labels)]
            one, other = [show(frame) for frame in direct], [show(frame) for frame in pooled]
            if [canonical(frame) for frame in direct] == [canonical(frame) for frame in pooled]:
                left_out = [f"… {len(one) - 12} more"] if len(one) > 13 else one[6:-6]
                lines += ["both:", *(f"    {line}" for line in (*one[:6], *left_out, *one[6:][-6:]))]
                continue
            at = next((n for n, (a, b) in enumerate(zip(direct, pooled)) if canonical(a) != canonical(b)),
                      min(len(one), len(other)))
            begin = max(0, at - 3)
            lines += [f"both, the last {at - begin} of {at}:", *(f"    {line}" for line in one[begin:at])]
            lines += ["direct:", *(f"  < {line}" for line in one[at:at + 8])]
            lines += ["pooled:", *(f"  > {line}" for line in other[at:at + 8])]
        return "\n".join(lines)


def _sort(frame):
    return frame and (frame[:1], error_fields(frame[5:]).get("C") if frame[:1] == b"E" else None)


def canonical(frame):
    """The frame without what is meant to differ."""
    kind, body = frame[:1], frame[5:]
    if kind == b"A":
        return b"A" + body[4:]
    if kind == b"T":
        return b"T" + _without_table_oids(body)
    if kind in b"EN":
        fields = {letter: value for letter, value in error_fields(body).items() if letter not in "FLR"}
        return kind + _TEMP.sub(b"pg_temp", repr(sorted(fields.items())).encode())
    return _TEMP.sub(b"pg_temp", frame) if b"pg_temp_" in frame else frame


def _without_table_oids(body):
    (count,), at, parts = struct.unpack_from("!H", body), 2, [body[:2]]
    for _ in range(count):
        end = body.index(b"\0", at) + 1
        oid = struct.unpack_from("!I", body, end)[0]
        parts += [body[at:end], b"1" if oid else b"0", body[end + 4:end + 18]]
        at = end + 18
    return b"".join(parts)


def same(direct, pooled):
    return all(len(a) == len(b) and all(map(_alike, a, b)) for a, b in zip(_apart(direct), _apart(pooled)))


def _apart(frames):
    """Answers, and notifications."""
    return [frame for frame in frames if frame[:1] != b"A"], [frame for frame in frames if frame[:1] == b"A"]


def _alike(direct, pooled):
    return direct == pooled or canonical(direct) == canonical(pooled) or failed_alike(direct, pooled)


#: What a text is refused with whose tables, columns, functions or schemas are not there, or not for this role.
_UNPARSED = (b"42P01", b"42703", b"42883", b"42501")


def failed_alike(direct, pooled):
    """Whether a misuse of a statement is told as what it is or, by a server that lacks the statement, as why it has it not."""
    if _says(pooled, b"25P02"):
        return any(_says(direct, code) for code in (b"26000", b"42P05", b"08P01"))
    return _says(direct, b"08P01") and any(_says(pooled, code) for code in _UNPARSED)


def _says(frame, code):
    return frame[:1] == b"E" and b"\0C" + code + b"\0" in frame


def healed(direct, pooled):
    """Whether the two part where they may, so that nothing behind that can be compared."""
    (direct, told), (pooled, heard) = _apart(direct), _apart(pooled)
    if len(told) != len(heard) or not all(map(_alike, told, heard)):
        return False
    place = next(n for n, (a, b) in enumerate(itertools.zip_longest(direct, pooled)) if None in (a, b) or not _alike(a, b))
    one, other = (frames[place] if place < len(frames) else b"" for frames in (direct, pooled))
    # A plan that one side has lost and the other has anew.
    if any(_says(frame, b"0A000") and b"\0Mcached plan" in frame for frame in (one, other)):
        return True
    # A statement that is described where it cannot be parsed any more.
    if one[:1] == b"t" and other[:1] == b"E":
        return _says(other, b"25P02") or same(direct[place + 1:place + 2], [other])
    return _says(other, b"25001") and b"\0MSET TRANSACTION ISOLATION LEVEL must" in other


def slept_alike(direct, pooled):
    """Each was cancelled or not, and came back ready."""
    def fine(frames):
        kinds = b"".join(frame[:1] for frame in frames)
        # The row may be on its way when the cancel comes.
        if kinds in (b"TDEZ", b"TEZ", b"EZ"):
            return frames[-1][5:] == b"I" and b"\0C57014\0" in frames[-2]
        return kinds == b"TDCZ" and frames[-1][5:] == b"I"
    return fine(direct) and fine(pooled)


def show(frame):
    """A frame in words."""
    kind, body = frame[:1], frame[5:]
    if kind in b"EN":
        fields = error_fields(body)
        rest = "".join(f" {letter}={value!r}" for letter, value in fields.items() if letter in "DHWPpq")
        return f"{kind.decode()} {fields.get('S')} {fields.get('C')} {fields.get('M')}{rest}"
    if kind == b"D":
        return f"D {[None if v is None else cut(v) for v in row_values(body)]}"
    if kind == b"C":
        return f"C {body[:-1].decode()}"
    if kind == b"T":
        return f"T {[part for part in re.findall(rb'([ -~]+)', body) if len(part) > 1][:8]}"
    return f"{kind.decode()} {cut(body)}" if body else kind.decode()


def cut(data, size=120):
    shown = data.decode(errors="backslashreplace").replace("\n", "\\n").replace("\0", "\\0")
    return shown if len(shown) <= size else f"{shown[:size]}… ({len(data)} bytes)"
