# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what is in it. That it installs, upgrades and goes is Tests/packaging, which boots a system."""

import os
import re
import subprocess

import pytest

from lib.pooler import ROOT, carom_binary

pytestmark = pytest.mark.own


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package that is not compressed, and what is in it."""
    directory = tmp_path_factory.mktemp("package")
    program = directory / "carom"
    subprocess.run(["strip", "-o", program, carom_binary()], check=True, timeout=60)
    built = subprocess.run(
        [os.path.join(ROOT, "examples", "packaging", "build-deb"), "--binary", program, "--output", directory, "--fast"],
        check=True, capture_output=True, text=True, timeout=120).stdout.splitlines()[-1]
    subprocess.run(["dpkg-deb", "-R", built, directory / "content"], check=True, timeout=60)
    return directory / "content"


def test_it_depends_on_what_the_program_links_and_on_nothing_of_swift(package):
    control = (package / "DEBIAN" / "control").read_text()
    version = subprocess.run([carom_binary(), "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert f"\nVersion: {version}-1\n" in control
    depends = re.search(r"^Depends: (.*)$", control, re.MULTILINE)[1]
    assert {"libc6", "libssl3", "libc-ares2"} <= set(re.findall(r"[a-z][a-z0-9.+-]+", depends))
    assert "swift" not in depends


def test_the_configuration_is_a_conffile_and_the_program_takes_it(package):
    assert set((package / "DEBIAN" / "conffiles").read_text().split()) == {"/etc/carom/carom.conf", "/etc/carom/users.txt"}
    file = package / "etc" / "carom" / "carom.conf"
    text = file.read_text()
    file.write_text(text.replace("/etc/carom", str(package / "etc" / "carom")))
    checked = subprocess.run([package / "usr" / "bin" / "carom", "check", file], capture_output=True, text=True)
    file.write_text(text)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_it_has_the_unit_the_manual_and_the_completions(package):
    for path in ("usr/share/man/man1/carom.1.gz", "usr/share/man/man5/carom.conf.5.gz",
                 "usr/share/bash-completion/completions/carom", "usr/share/zsh/vendor-completions/_carom",
                 "usr/share/fish/vendor_completions.d/carom.fish", "usr/share/doc/carom/configuration.adoc.gz",
                 "usr/share/doc/carom/copyright", "usr/lib/sysusers.d/carom.conf"):
        assert (package / path).stat().st_size > 0, path
    with open(os.path.join(ROOT, "examples", "systemd", "carom.service")) as file:
        given = set(file.read().splitlines())
    packaged = set((package / "lib/systemd/system/carom.service").read_text().splitlines())
    # systemd 252 does not know Type=notify-reload.
    assert given - packaged == {"Type=notify-reload"}
    assert packaged - given == {"Type=notify", "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'"}
