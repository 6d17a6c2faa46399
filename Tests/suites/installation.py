# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Brings drivers and suites here, into .build/suites: wheels into a venv, suites out of source archives."""

import os
import re
import shutil
import subprocess
import sys
import tarfile

from lib.pooler import ROOT
from lib.postgres import binary

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(ROOT, ".build", "suites")
REQUIREMENTS = os.path.join(HERE, "requirements.txt")
PYTHON = os.path.join(HOME, "venv", "bin", "python")
RESULTS = os.path.join(HOME, "results")


def _run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")


def install_drivers():
    """A venv with what requirements.txt says; its copy there shows that it is complete."""
    stamp = os.path.join(HOME, "venv", "installed.txt")
    wanted = open(REQUIREMENTS).read()
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return
    shutil.rmtree(os.path.join(HOME, "venv"), ignore_errors=True)
    os.makedirs(HOME, exist_ok=True)
    _run("/usr/bin/python3", "-m", "venv", os.path.join(HOME, "venv"))
    _run(PYTHON, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary", ":all:", "-r", REQUIREMENTS)
    with open(stamp, "w") as file:
        file.write(wanted)


def version(distribution):
    """The version that requirements.txt asks for; psycopg2's wheel has another name than its archive."""
    pinned = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)$", open(REQUIREMENTS).read(), re.M))
    return pinned.get(distribution) or pinned[f"{distribution}-binary"]


def suite_directory(suite):
    """Where the unpacked suite is: the directory to run it in."""
    name = f"{suite.archive}-{version(suite.archive)}"
    target = os.path.join(HOME, "trees", name)
    if not os.path.isdir(target):
        _unpack(_archive(suite.archive), name, suite.part, target)
    return target


def _archive(distribution):
    folder, wanted = os.path.join(HOME, "archives"), f"{distribution}-{version(distribution)}.tar.gz"
    path = os.path.join(folder, wanted)
    if not os.path.exists(path):
        # pip asks an archive for its metadata, and psycopg2's wants pg_config for that.
        search = os.pathsep.join([os.path.dirname(binary("postgres")), os.environ["PATH"]])
        _run(PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", distribution, "--dest", folder,
             f"{distribution}=={version(distribution)}", env={**os.environ, "PATH": search})
    return path


def _unpack(archive, name, part, target):
    unfinished = f"{target}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(archive) as tar:
        # The files beside the directories are short, and some suites read them.
        wanted = [member for member in tar.getmembers() if member.name.startswith(f"{name}/") and (
            not part or "/" not in member.name[len(name) + 1:] or member.name.startswith(f"{name}/{part}/"))]
        tar.extractall(unfinished, members=wanted)
    os.rename(os.path.join(unfinished, name), target)
    os.rmdir(unfinished)
