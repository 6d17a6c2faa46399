# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""How the house is built: which module may import which, and how large files and types may be.

Each check prints what is wrong, or a count, and exits with 1 or 0 accordingly. Tests/docs runs them.
"""

import json
import pathlib
import re
import subprocess
import sys

# Modules that build wherever Swift does: they may import a C library only where there is one, under `#if`.
PORTABLE = {"Carom", "CaromPostgresProtocol", "CaromTesting"}

# What is part of the system and of no package.
SYSTEM = {"Darwin", "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Musl", "Synchronization"}

# Modules from the ground up, and what each may import. A module of this package may only be named by those below it in
# this list, so imports go downward. What is not named here is not to be imported.
MODULES = {
    # Ground floor: no sockets, threads or files. A C library is for the clock only.
    "CCaromProbes": "",
    "Carom": "CCaromProbes Logging Metrics ServiceLifecycle Synchronization Tracing Glibc Musl Darwin",
    "CaromPostgresProtocol": "",
    "CaromTesting": "Carom DequeModule Synchronization",
    # Wings.
    "CCaromLinux": "",
    "CCaromLDAP": "",
    "CCaromPAM": "",
    "CCaromOpenSSL": "",
    "CCaromAres": "",
    "CaromReactor": "CCaromLinux DequeModule Synchronization Glibc",
    "CaromTLS": "CCaromOpenSSL Synchronization Glibc",
    "CaromDNS": "Carom CaromReactor CCaromAres Logging Synchronization Glibc",
    "CaromFile": "Carom CaromReactor FoundationEssentials Glibc",
    # First floor.
    "CaromTCP": "Carom CaromReactor CaromTLS CCaromLinux Synchronization Glibc",
    "CaromStats": "Carom FlyingFox FlyingSocks FoundationEssentials Histogram Logging Synchronization Glibc",
    "CaromPostgres":
        "Carom CaromPostgresProtocol CaromReactor CaromTCP CaromTLS DequeModule Synchronization Tracing Glibc",
    "CaromPostgresFoundation": "CaromPostgres FoundationEssentials",
    "CaromPostgresPool": "Carom CaromDNS CaromPostgres CaromReactor CaromTLS Logging ServiceLifecycle",
    "CaromConfiguration": "CaromPostgresProtocol CaromTLS Glibc",
    "CaromPooler":
        "Carom CaromConfiguration CaromDNS CaromFile CaromPostgres CaromPostgresProtocol CaromReactor CaromStats CaromTCP "
        "CaromTLS CCaromLDAP CCaromLinux CCaromPAM CCaromProbes DequeModule FoundationEssentials Logging Synchronization Glibc",
    # Top.
    "CaromTop": "Carom CaromReactor CaromStats CaromTCP CaromTLS FoundationEssentials Synchronization Glibc",
    "CaromCommand":
        "Carom CaromConfiguration CaromPooler CaromReactor CaromStats CaromTop ArgumentParser Glibc",
}

# Folders that may import less than their module.
FOLDERS = {"Carom/Core": ""}

# What lets code reach out of the process, or wait for something that does. The pool (Carom) does so only through the protocols
# that it is given, and is not counted.
OUTSIDE = {
    "CCaromAres", "CCaromLinux", "CCaromOpenSSL", "CaromDNS", "CaromFile", "CaromPostgres", "CaromReactor", "CaromStats",
    "CaromTCP", "CaromTLS", "FlyingFox", "FlyingSocks", "FoundationEssentials", "Glibc",
}

LONGEST_FILE = 400
LARGEST_TYPE = 400

IMPORT = re.compile(r"^\s*(?:@\w+(?:\(\w+\))? )*(?:public |package |internal |private |fileprivate )?import (?:\w+ )??(\w+)(?:\.\w+)?\s*(?://.*)?$", re.M)
DECLARATION = re.compile(
    r"^( *)(?:@\w+(?:\([^)]*\))? )*(?:(?:public|package|internal|private|fileprivate|final|indirect|nonisolated) )*"
    r"(class|struct|enum|actor|extension) ([\w.]+)")


def imports(path):
    return set(IMPORT.findall(path.read_text()))


def sources(folder):
    return sorted(pathlib.Path(folder).rglob("*.swift"))


def targets():
    """Each target of Package.swift: its path and the modules it depends on."""
    package = json.loads(subprocess.run(["swift", "package", "dump-package"], capture_output=True, check=True).stdout)
    found = {}
    for target in package["targets"]:
        names = [next(iter(d.values()))[0] for d in target["dependencies"]]
        default = f"Tests/{target['name']}" if target["type"] == "test" else f"Sources/{target['name']}"
        found[target["name"]] = (pathlib.Path(target.get("path") or default), set(names))
    return found


def check_imports():
    problems = []
    order = list(MODULES)
    for module, allowed in MODULES.items():
        for name in allowed.split():
            if name in MODULES and order.index(name) >= order.index(module):
                problems.append(f"{module} stands below {name} in the list and may not import it")
    for folder in sorted(path.name for path in pathlib.Path("Sources").iterdir() if path.is_dir()):
        if folder not in MODULES:
            problems.append(f"Sources/{folder} is not in the list of modules")
    for place, allowed in (MODULES | FOLDERS).items():
        for path in sources(f"Sources/{place}"):
            for name in sorted(imports(path) - set(allowed.split())):
                problems.append(f"{path}: {place} may not import {name}")
    for module, allowed in MODULES.items():
        files = sources(f"Sources/{module}")
        for name in sorted(set(allowed.split()) - set().union(*map(imports, files))):
            problems.append(f"{module} may import {name} and does so nowhere")
    for module in PORTABLE:
        for path in sources(f"Sources/{module}"):
            for name in re.findall(r"^(?:\w+ )?import (Glibc|Musl|Darwin)$", path.read_text(), re.M):
                problems.append(f"{path}: {name} is not everywhere; import it under #if canImport({name})")
    edges = 0
    for target, (folder, declared) in targets().items():
        used = set().union(*map(imports, sources(folder))) - SYSTEM - {"Testing", "PackageDescription"}
        if not sources(folder):
            used = declared
        for name in sorted(declared - used):
            problems.append(f"Package.swift: {target} depends on {name} and imports it nowhere")
        for name in sorted(used - declared):
            problems.append(f"Package.swift: {target} imports {name} and does not depend on it")
        edges += len(declared)
    print("\n".join(problems) or f"{edges} dependencies of {len(MODULES)} modules, examples and tests")
    return not problems


def types(module):
    """The types of a module at file level: how many lines each has over all its files, and what those files import."""
    lines, reach = {}, {}
    for path in sources(f"Sources/{module}"):
        name = start = indent = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if name is None:
                if (found := DECLARATION.match(line)) and not line.rstrip().endswith("}"):
                    indent, name, start = found[1], found[3].split(".")[0], number
            elif line.startswith(indent + "}"):
                lines[name] = lines.get(name, 0) + number - start + 1
                reach[name] = reach.get(name, set()) | imports(path)
                name = None
    return {name: (lines[name], reach[name]) for name in lines}


def check_sizes():
    problems = []
    files = [path for folder in ["Sources", "examples"] for path in sources(folder)]
    for path in files:
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE:
            problems.append(f"{path} has {count} lines, more than {LONGEST_FILE}")
    checked, largest = 0, (0, "")
    for module in MODULES:
        for name, (count, reach) in types(module).items():
            if not reach & OUTSIDE:
                continue
            checked += 1
            largest = max(largest, (count, name))
            if count > LARGEST_TYPE:
                problems.append(f"{module}: {name} reaches outside and has {count} lines over all its files, more than {LARGEST_TYPE}")
    print("\n".join(problems) or f"{len(files)} files; of {checked} types with I/O {largest[1]} is the largest with {largest[0]} lines")
    return bool(files) and not problems


checks = {"imports": check_imports, "sizes": check_sizes}
if __name__ == "__main__":
    sys.exit(0 if checks[sys.argv[1]](*sys.argv[2:]) else 1)
