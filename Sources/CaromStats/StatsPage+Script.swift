// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension StatsPage {
    /// What the page does: it asks for `stats` every second and shows what has become of it since.
    ///
    /// Names come from clients and configurations. They reach the page through `textContent` alone.
    static let script = #"""
        "use strict";
        const period = 1000, kept = 120, span = 10, mostCards = 60;
        const place = id => document.getElementById(id);
        const sum = numbers => numbers.reduce((all, one) => all + one, 0);

        function make(parent, name, style, text) {
            const element = document.createElement(name);
            if (style) element.className = style;
            if (text !== undefined) element.textContent = text;
            parent.append(element);
            return element;
        }
        function tell(element, text) { if (element.textContent !== text) element.textContent = text; }

        const scaled = (value, unit) => (value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toPrecision(2)) + unit;
        function count(value) {
            if (value === undefined) return "–";
            for (const [size, unit] of [[1e9, " G"], [1e6, " M"], [1e4, " k"]])
                if (value >= size) return (value / (unit === " k" ? 1e3 : size)).toFixed(1) + unit;
            return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value));
        }
        function time(seconds) {
            if (seconds === undefined) return "–";
            if (seconds >= 1) return scaled(seconds, " s");
            return seconds >= 1e-3 ? scaled(seconds * 1e3, " ms") : scaled(seconds * 1e6, " µs");
        }
        function age(seconds) {
            const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].filter(([size]) => seconds >= size || size === 1);
            return parts.slice(0, 2).map(([size, unit], at) =>
                Math.floor((at ? seconds % parts[0][0] : seconds) / size) + " " + unit).join(" ");
        }

        // Counters of one thing as they were in the last seconds.
        class Meter {
            samples = [];
            take(sample) {
                const last = this.samples.at(-1);
                // Totals that shrink are those of another process, or of a backend that has come back.
                if (last && Object.keys(sample.totals).some(name => sample.totals[name] < last.totals[name])) this.samples = [];
                this.samples.push(sample);
                if (this.samples.length > span + 1) this.samples.shift();
            }
            rate(name) {
                const [before, now] = this.samples.slice(-2);
                return now && (now.totals[name] - before.totals[name]) * 1000 / (now.at - before.at);
            }
            // Of what has ended within the span; lengths are counted up to bounds that double from 64 µs.
            quantile(name, share) {
                const now = this.samples.at(-1).counts?.[name], before = this.samples[0].counts?.[name];
                if (!now) return undefined;
                const counts = now.map((number, index) => number - (before?.[index] ?? 0));
                let rest = share * sum(counts);
                if (!rest) return undefined;
                for (const [index, number] of counts.entries()) {
                    const upper = 64e-6 * 2 ** index, lower = index ? upper / 2 : 0;
                    if (rest <= number) return index === counts.length - 1 ? lower : lower + (upper - lower) * rest / number;
                    rest -= number;
                }
            }
        }

        // A line of the last two minutes, newest at the right.
        class Plot {
            values = [];
            constructor(parent) {
                const draw = (parent, name, attributes) => {
                    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
                    for (const key in attributes) element.setAttribute(key, attributes[key]);
                    parent.append(element);
                    return element;
                };
                this.picture = draw(parent, "svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
                this.area = draw(this.picture, "polygon", {});
                this.line = draw(this.picture, "polyline", {});
            }
            add(value) {
                this.values.push(value ?? 0);
                if (this.values.length > kept) this.values.shift();
                const top = Math.max(...this.values) || 1, right = Math.max(this.values.length, 30) - 1;
                const first = right + 1 - this.values.length;
                this.picture.setAttribute("viewBox", `0 0 ${right} 32`);
                const points = this.values.map((each, at) => `${first + at},${(31 - 29 * each / top).toFixed(1)}`);
                this.line.setAttribute("points", points.join(" "));
                this.area.setAttribute("points", [`${first},32`, ...points, `${right},32`].join(" "));
            }
        }

        class Tile {
            constructor(title) {
                this.root = make(place("tiles"), "div", "tile");
                make(this.root, "h2", "", title);
                this.value = make(this.root, "p", "value");
                this.detail = make(this.root, "p", "detail");
                this.plot = new Plot(this.root);
            }
            show(value, detail, number) {
                tell(this.value, value);
                tell(this.detail, detail);
                this.plot.add(number);
            }
        }

        const slotKinds = ["active", "acquiring", "checking", "recycling", "connecting", "closing", "idle"];
        const slots = backend => ({ ...backend.slots, ...Object.fromEntries(
            slotKinds.map(kind => [kind, backend[(kind === "active" ? "claimed" : kind) + "_slots"]])) });

        class BackendRow {
            meter = new Meter();
            constructor(parent) {
                this.root = make(parent, "li");
                [this.name, this.state, this.slots, this.rate, this.error] =
                    ["name", "chip", "", "", "error"].map(style => make(this.root, "span", style));
            }
            show(backend, at) {
                this.meter.take({ at, totals: { claims: backend.total_claims } });
                tell(this.name, backend.name === backend.address ? backend.name : backend.name + " " + backend.address);
                tell(this.state, backend.state);
                this.state.className = "chip " + backend.state;
                const now = slots(backend);
                tell(this.slots, slotKinds.filter(kind => now[kind]).map(kind => now[kind] + " " + kind).join(", ") || "no connection");
                tell(this.rate, count(this.meter.rate("claims")) + " claims/s");
                tell(this.error, backend.last_error ?? "");
            }
        }

        class Card {
            meter = new Meter();
            backends = new Map();
            constructor() {
                this.root = document.createElement("article");
                const head = make(this.root, "h3");
                this.name = make(head, "span", "name");
                this.mode = make(head, "span", "chip");
                this.state = make(head, "span", "chip");
                this.rule = make(this.root, "p", "detail");
                this.plot = new Plot(this.root);
                this.bar = make(this.root, "div", "bar");
                this.parts = slotKinds.map(kind => make(this.bar, "span", kind));
                this.facts = make(this.root, "dl");
                this.list = make(this.root, "ul");
            }
            fact(title, text) {
                this.values ??= new Map();
                if (!this.values.has(title)) {
                    const pair = make(this.facts, "div");
                    make(pair, "dt", "", title);
                    this.values.set(title, make(pair, "dd"));
                }
                tell(this.values.get(title), text);
            }
            show(pool, route, at) {
                this.meter.take(sample(pool, route, at));
                tell(this.name, pool.name);
                tell(this.mode, route?.mode ?? "");
                tell(this.state, pool.state);
                this.state.className = "chip " + pool.state;
                tell(this.rule, route ? "rule " + route.rule : "");
                const held = pool.backends.map(slots), of = kind => sum(held.map(each => each[kind]));
                this.parts.forEach((part, index) => {
                    part.style.width = 100 * of(slotKinds[index]) / Math.max(pool.max_slots, pool.slots, 1) + "%";
                });
                this.fact("servers", `${pool.slots} of ${pool.max_slots}`);
                this.fact("busy, idle", `${of("active")}, ${of("idle")}`);
                this.fact("waiting", pool.waiters ? `${count(pool.waiters)}, ${time(pool.oldest_wait_seconds)}` : "0");
                const speed = this.meter.rate(route ? "queries" : "claims");
                this.plot.add(speed);
                if (route) {
                    this.fact("clients", count(sum(Object.values(route.clients))));
                    this.fact("queries/s", count(speed));
                    this.fact("transactions/s", count(this.meter.rate("transactions")));
                    for (const name of ["query", "transaction", "wait"])
                        this.fact(name + " p50, p99", [0.5, 0.99].map(share => time(this.meter.quantile(name, share))).join(", "));
                } else {
                    this.fact("claims/s", count(speed));
                    for (const name of ["wait", "hold"])
                        this.fact(name + " p50, p99", time(pool[name + "_seconds"]?.p50) + ", " + time(pool[name + "_seconds"]?.p99));
                }
                follow(this.backends, pool.backends, backend => backend.key, () => new BackendRow(this.list),
                    (row, backend) => row.show(backend, at));
            }
        }

        // Keeps one thing for each element, by its key.
        function follow(things, elements, key, begin, show) {
            const seen = new Set(elements.map(key));
            for (const [name, thing] of things) if (!seen.has(name)) { thing.root.remove(); things.delete(name); }
            for (const element of elements) {
                if (!things.has(key(element))) things.set(key(element), begin());
                show(things.get(key(element)), element);
            }
        }

        function sample(pool, route, at) {
            const totals = { claims: pool.totals.claims };
            if (!route) return { at, totals };
            for (const name of ["queries", "transactions"]) totals[name] = route[name];
            const counts = Object.fromEntries(Object.entries(route.durations).map(([name, each]) => [name, each.counts]));
            return { at, totals, counts };
        }
        """#
}
