# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Manual pages and shell completions: they render, and say what the program says of itself."""

import json
import os
import re
import subprocess

import pytest

from lib.pooler import ROOT, carom_binary

pytestmark = pytest.mark.own

PAGES = ("carom.1", "carom.conf.5")


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    directory = tmp_path_factory.mktemp("man")
    subprocess.run([os.path.join(ROOT, "docs", "man", "build"), directory], check=True, timeout=60)
    return directory


def rendered(page):
    """A page as readers see it, without its line breaks."""
    result = subprocess.run(
        ["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFOPT": "-c", "MANPAGER": "cat"})
    assert (result.returncode, result.stderr) == (0, "")
    return re.sub(r".\x08", "", result.stdout)


def commands():
    """What the program says of itself: each command, the program first, with its arguments."""
    described = json.loads(subprocess.run(
        [carom_binary(), "--experimental-dump-help"], capture_output=True, check=True, timeout=20).stdout)["command"]
    found, rest = [], [described]
    for command in rest:
        shown = [argument for argument in command.get("arguments", []) if argument["shouldDisplay"]]
        found.append((command["commandName"], shown))
        rest += command.get("subcommands", [])
    return found


def spelled(name):
    return ("--" if name["kind"] == "long" else "-") + name["name"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_renders_without_warnings_in_80_columns(manual, page):
    text = rendered(manual / page)
    # What a program prints is shown as it is, however wide.
    prose = [line for line in text.splitlines() if len(line) > 80 and not re.match(r" {11}", line)]
    assert prose == []
    assert "`" not in re.sub(r" {11}.*", "", text), "a mark of the source has come through"


def test_each_command_and_option_of_the_program_is_in_its_page(manual):
    text = rendered(manual / PAGES[0])
    words = set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", text))
    told = {name for name, _ in commands()}
    assert {"serve", "check", "resolve", "top"} <= told
    missing = [name for name in told - {"carom"} if f"carom {name}" not in text]
    for _, arguments in commands():
        missing += [spelled(name) for argument in arguments for name in argument.get("names", [])
                    if spelled(name) not in words]
    assert missing == []


def test_each_option_of_the_page_is_one_of_the_program(manual):
    known = {spelled(name) for _, arguments in commands() for argument in arguments
             for name in argument.get("names", [])}
    text = rendered(manual / PAGES[0])
    assert set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", text)) - known == {"--generate-completion-script"}


def test_each_directive_of_the_reference_is_an_entry_of_its_page(manual):
    with open(os.path.join(ROOT, "docs", "configuration.adoc")) as file:
        directives = re.findall(r"^\|`(\w+)` \|", file.read(), re.MULTILINE)
    assert len(directives) > 150
    text = rendered(manual / PAGES[1])
    assert [name for name in directives if not re.search(rf"^ {{7}}{name} ", text, re.MULTILINE)] == []


COMPLETE = """
source <("$0" --generate-completion-script bash)
COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_carom carom "${@: -1}" "${@: -2:1}"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("words, completed", [
    (["carom", "res"], "resolve"), (["carom", "resolve", "x", "--w"], "--watch"),
    (["carom", "top", "--sort", "ho"], "hold"), (["carom", "check", "/etc/passw"], "/etc/passwd")])
def test_the_shell_completes_commands_options_values_and_files(words, completed):
    result = subprocess.run(["bash", "-c", COMPLETE, carom_binary(), *words], capture_output=True, text=True, timeout=20)
    assert result.stderr == ""
    assert completed in result.stdout.split()
