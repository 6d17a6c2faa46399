# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of SASLprep (RFC 4013) from Python's own Unicode data, or says with --check whether they are as they should be.

SASLprep is defined over Unicode 3.2, the only version in which RFC 3454 lists characters. Decompositions are those of a later
version, as PostgreSQL's are: a few were corrected. All numbers are differences, six bits at a time; SASLTables.swift says how.
"""

import pathlib
import stringprep
import sys
import unicodedata

FILE = pathlib.Path(__file__).parent.parent / "Sources/CaromPostgresProtocol/Authentication/SASLTables+Data.swift"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
WIDTH = 96
HANGUL = range(0xAC00, 0xD7A4)
EVERYTHING = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]


def number(value):
    """Five bits a character, lowest first; the sixth says that more follow."""
    text = ""
    while True:
        text += DIGITS[(value & 31) | (32 if value > 31 else 0)]
        value >>= 5
        if value == 0:
            return text


def signed(value):
    return number(value * 2 if value >= 0 else -value * 2 - 1)


def ranges(member):
    """Where membership changes, each as the distance from the change before."""
    text, last, inside = "", 0, False
    for point in EVERYTHING:
        if member(chr(point)) != inside:
            text += number(point - last)
            last, inside = point, not inside
    return text + (number(0x110000 - last) if inside else "")


def prohibited(char):
    """Tables C.1.2 and C.2.1 to C.9; C.1.2 is mapped to a space before."""
    return any(table(char) for table in (
        stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
        stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
        stringprep.in_table_c9))


def decompositions():
    """For each character: distance from the last one, how many it becomes and in which way, and what."""
    text, last, target = "", 0, 0
    for point in EVERYTHING:
        char = chr(point)
        mapping = unicodedata.decomposition(char).split()
        if not mapping or point in HANGUL or unicodedata.ucd_3_2_0.category(char) == "Cn":
            continue
        way = 0
        if not mapping[0].startswith("<"):
            composed = unicodedata.normalize("NFC", char)
            way = 2 if composed == char and len(mapping) == 2 else 1
        points = [int(part, 16) for part in mapping if not part.startswith("<")]
        text += number(point - last) + number(len(points) * 3 + way)
        last = point
        for part in points:
            text += signed(part - target)
            target = part
    return text


def literal(name, comment, text):
    lines = [text[at:at + WIDTH] for at in range(0, len(text), WIDTH)]
    body = "\\\n".join(f"        {line}" for line in lines)
    return f'    /// {comment}\n    static let {name}: StaticString = """\n{body}\n        """\n'


def render():
    tables = [
        literal("unassigned", "RFC 3454, table A.1: what Unicode 3.2 does not assign.", ranges(stringprep.in_table_a1)),
        literal("prohibited", "RFC 3454, tables C.1.2 and C.2.1 to C.9.", ranges(prohibited)),
        literal("rightToLeft", "RFC 3454, table D.1.", ranges(stringprep.in_table_d1)),
        literal("leftToRight", "RFC 3454, table D.2.", ranges(stringprep.in_table_d2)),
        literal("decompositions", "What characters of Unicode 3.2 are made of; without Hangul, which is computed.",
                decompositions()),
    ]
    head = ("// Copyright the Carom authors\n// SPDX-License-Identifier: Apache-2.0\n\n"
            "// Written by Tests/unicode.py.\n\nextension SASLTables {\n")
    return head + "\n".join(tables) + "}\n"


if sys.argv[1:] == ["--check"]:
    good = FILE.read_text() == render()
    print(f"{FILE.name} is as Tests/unicode.py writes it" if good else f"{FILE}: run Tests/unicode.py")
    sys.exit(0 if good else 1)
FILE.write_text(render())
