# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""docs/security.adoc names a test for each known attack, and each of these exists."""

import glob
import os
import re

import pytest

from lib.pooler import ROOT

#: Those of the families of poolers that are kept in view, see the page.
ATTACKS = [
    "CVE-2012-4575", "CVE-2015-4054", "CVE-2015-6817", "CVE-2018-16203", "CVE-2021-3935", "CVE-2021-23214", "CVE-2021-23222",
    "CVE-2021-43766", "CVE-2021-43767", "CVE-2023-22332", "CVE-2024-10977", "CVE-2024-45624", "CVE-2025-2291", "CVE-2025-12819",
    "CVE-2025-46801", "CVE-2026-6664", "CVE-2026-6665", "CVE-2026-6666", "CVE-2026-6667"]


@pytest.fixture(scope="module")
def page():
    with open(os.path.join(ROOT, "docs", "security.adoc")) as file:
        return file.read().split("[[cves]]")[1].split("\n== ")[0]


@pytest.fixture(scope="module")
def sources():
    paths = glob.glob(os.path.join(ROOT, "Tests", "**", "*Tests*", "**", "*.swift"), recursive=True)
    paths += glob.glob(os.path.join(ROOT, "Tests", "Integration", "test_*.py"))
    found = {}
    for path in paths:
        with open(path) as file:
            found[os.path.basename(path)] = file.read()
    return found


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_attack_is_on_the_page(page, attack):
    assert attack in page


def test_each_row_names_tests_that_exist(page, sources):
    rows = page.split("|===")[1].split("\n\n")[1:]
    assert len(rows) > 20
    previous = set()
    for row in rows:
        cell = row.split("\n|")[-1]
        named = set()
        for part in cell.split(";"):
            words = re.findall(r"`([^`]+)`", part)
            if not words:
                # "The same test", with something else.
                assert "The same test" in part and previous, row
                named |= previous
                continue
            file, *tests = words
            assert file in sources, f"{file}, of: {row}"
            for test in tests:
                assert re.search(rf"\b(def|func) {test}\(", sources[file]), f"{test} is not in {file}"
                named.add((file, test))
            named.add((file, None))
        assert named, row
        previous = named
