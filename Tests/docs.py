# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The comparisons behind Tests/docs. Each prints what is wrong, or a count, and exits with 1 or 0 accordingly."""

import json
import pathlib
import re
import sys


def symbols(folder):
    """Every symbol of a folder's graphs that somebody wrote: what the compiler derives has no place in a source."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*.symbols.json")):
        for symbol in json.loads(path.read_text())["symbols"]:
            if "location" in symbol:
                found[symbol["identifier"]["precise"]] = symbol
            elif "docComment" in symbol:
                sys.exit(f"{path.name} does not say where its symbols are: build with debug information")
    return list(found.values())


def name(symbol):
    return ".".join(symbol["pathComponents"])


def types(folder):
    return sorted({name(symbol) for symbol in symbols(folder) if len(symbol["pathComponents"]) == 1})


def check_symbols(folder):
    every = symbols(folder)
    bare = [s for s in every if not any(line["text"].strip() for line in s.get("docComment", {}).get("lines", []))]
    for symbol in bare:
        print(f"{symbol['location']['uri']}:{symbol['location']['position']['line'] + 1}: {name(symbol)}")
    print(f"{len(every) - len(bare)} of {len(every)}")
    return bool(every) and not bare


def check_landing(product, folder):
    text = pathlib.Path(f"Sources/{product}/{product}.docc/{product}.md").read_text()
    curated = re.findall(r"^- ``(\w+)``$", text, re.M)
    missing = [type for type in types(folder) if curated.count(type) != 1]
    for type in missing:
        print(f"{type} is listed {curated.count(type)} times")
    return not missing


def check_api(folder):
    text = pathlib.Path("docs/api.adoc").read_text()
    missing = [type for type in types(folder) if f"`{type}`" not in text]
    for type in missing:
        print(f"`{type}` is public, and docs/api.adoc does not say why")
    return not missing


def duration(number, unit):
    """A time as the table writes it."""
    value = int(number.replace("_", ""))
    if unit == "seconds" and value >= 120 and value % 60 == 0:
        return f"{value // 60} min"
    return f"{value} {'s' if unit == 'seconds' else 'ms'}"


def default(text):
    """A default of Policy.swift as the table writes it."""
    if time := re.fullmatch(r"\.(seconds|milliseconds)\(([\d_]+)\)", text or ""):
        return duration(time[2], time[1])
    words = {None: "off", "false": "no", "true": "yes", ".lowPass": "low pass", ".all": "all",
             "Balance.leastClaimed": "least claimed"}
    return words.get(text, text and text.replace("_", " "))


def allowed(knob, rules):
    """A range of Policy+Validation.swift as the table writes it."""
    if bound := re.search(rf'atLeast\((\d+), {knob}, "{knob}"\)', rules):
        return f"at least {bound[1]}"
    if bound := re.search(rf'share\({knob}, "{knob}", upTo: ([\d.]+)\)', rules):
        return f"0 to {bound[1]}"
    if f'positive({knob}, "{knob}")' in rules or f"guard {knob} > 0" in rules:
        return "above 0"
    if f'if {knob} == ""' in rules:
        return "not empty"
    if f'notNegative({knob}, "{knob}")' in rules:
        return "at least 0"
    if bound := re.search(rf"if {knob} < (\w+) ", rules):
        return f"at least `{bound[1]}`"
    return "idle time above 0" if f'"{knob}.afterIdle"' in rules else ""


def check_policy():
    sources = pathlib.Path("Sources/Carom")
    code = (sources / "Policy.swift").read_text().split("public struct PolicyError")[0]
    rules = (sources / "Policy+Validation.swift").read_text()
    knobs = re.findall(r"^    public var (\w+)(?:: (?:\[.+\]\??|\S+))?(?: = (.+))?$", code, re.M)
    table = pathlib.Path("docs/pool.adoc").read_text().split("\n== Policy\n")[1].split("\n== ")[0]
    rows = re.findall(r"^\|`(\w+)` \|[^|\n]+\|([^|\n]+?) *\|([^|\n]*?) *\|.+$", table, re.M)
    expected = [(knob, default(value or None), allowed(knob, rules)) for knob, value in knobs]
    for row in sorted(set(expected) ^ set(rows)):
        print(f"{row} is {'in the code' if row in expected else 'in the table'} only")
    print(f"{len(rows)} knobs")
    return bool(expected) and set(expected) == set(rows) and len(rows) == len(expected)


def check_metrics():
    """Each metric of PoolMetrics is in docs/pool.adoc, by its kind, and no other is."""
    code = pathlib.Path("Sources/Carom/PoolMetrics.swift").read_text()
    kinds = {"counter": "Counter|counter|FloatingPointCounter", "timer": "Timer", "recorder": "Recorder", "gauge": "Gauge"}
    expected = set()
    for kind, maker in kinds.items():
        expected |= {(kind, name) for name in re.findall(rf'\b(?:{maker})\(\s*(?:label: )?"(carom_\w+)"', code)}
    text = pathlib.Path("docs/pool.adoc").read_text().split("`PoolMetrics`")[1].split("\n*")[0]
    found = set()
    for part in text.split(";"):
        if kind := re.search(r"\b(counter|timer|recorder|gauge)s?\b", part):
            found |= {(kind[1], name) for name in re.findall(r"`(carom_\w+)`", part)}
    for metric in sorted(expected ^ found):
        print(f"{metric} is in {'the code' if metric in expected else 'docs/pool.adoc'} only")
    print(f"{len(expected)} metrics")
    return bool(expected) and expected == found


def check_behaviours():
    """docs/pool-behaviours.adoc names for each behaviour the files whose tests have its number, and no others."""
    table = pathlib.Path("docs/pool-behaviours.adoc").read_text().split("|===")[1]
    said = set()
    for number, files in re.findall(r"^\| (\d+) \| .+ \| (.+)$", table, re.M):
        for name in re.findall(r"`([^`]+)`", files):
            said.add((int(number), name if name.startswith("Tests/") else f"Tests/CaromTests/{name}"))
    shown = set()
    for path in pathlib.Path("Tests").glob("*Tests/**/*.swift"):
        for number in re.findall(r'"behaviour (\d+):', path.read_text()):
            shown.add((int(number), str(path.with_suffix(""))))
    for number, path in sorted(said ^ shown):
        print(f"behaviour {number} of {path} is in {'the table' if (number, path) in said else 'the tests'} only")
    print(f"{len(dict(said))} behaviours")
    return bool(said) and said == shown


def check_code(path):
    """Prints the Swift code of a text, in order, as one file."""
    text = pathlib.Path(path).read_text()
    if path.endswith(".adoc"):
        blocks = ['let secret = "the reader has one"\n']
        blocks += re.findall(r"^\[source,swift\]\n----\n(.*?)^----$", text, re.M | re.S)
    else:
        blocks = re.findall(r"^```swift\n(.*?)^```$", text, re.M | re.S)
    print("\n".join(blocks))
    return any("import Carom" in block for block in blocks)


checks = {
    "symbols": check_symbols, "landing": check_landing, "api": check_api, "policy": check_policy,
    "metrics": check_metrics, "behaviours": check_behaviours, "code": check_code,
}
sys.exit(0 if checks[sys.argv[1]](*sys.argv[2:]) else 1)
