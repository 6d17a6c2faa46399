// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension StatsPage {
    /// The second half of the script: what is shown of the whole, and the clock.
    static let loop = #"""
        const whole = new Meter(), cards = new Map(), limits = new Map(), tiles = {};
        const tile = title => tiles[title] ??= new Tile(title);
        const add = lists => lists.reduce((all, list) => all ? all.map((each, index) => each + list[index]) : list, undefined);
        let lastAnswer;

        function showWhole(stats, at) {
            const pools = stats.carom.pools, pooler = stats.pooler, routes = pooler?.routes ?? [];
            const backends = pools.flatMap(pool => pool.backends.map(slots)), of = kind => sum(backends.map(each => each[kind]));
            const total = name => sum(routes.map(route => route[name]));
            whole.take({
                at, totals: Object.fromEntries([["claims", sum(pools.map(pool => pool.totals.claims))],
                    ...["queries", "transactions", "received_bytes", "sent_bytes"].map(name => [name, total(name)])]),
                counts: Object.fromEntries(["query", "transaction", "wait"].map(
                    name => [name, add(routes.map(route => route.durations[name].counts))])),
            });
            const waiters = sum(pools.map(pool => pool.waiters));
            const oldest = Math.max(0, ...pools.map(pool => pool.oldest_wait_seconds));
            const quantiles = name => [0.5, 0.99].map(share => whole.quantile(name, share));
            if (pooler) {
                const clients = sum(Object.values(pooler.clients));
                tile("clients").show(count(clients), `${pooler.clients.active} active, ${pooler.clients.idle} idle`, clients);
                for (const name of ["queries", "transactions"])
                    tile(name + "/s").show(count(whole.rate(name)), count(total(name)) + " since the start", whole.rate(name));
                for (const name of ["query", "transaction"]) {
                    const [half, most] = quantiles(name);
                    tile(name + " time").show(time(half), "99 of 100 within " + time(most), most);
                }
            } else {
                tile("claims/s").show(count(whole.rate("claims")), "", whole.rate("claims"));
            }
            tile("waiting").show(count(waiters), waiters ? "the first for " + time(oldest) : "nobody", waiters);
            if (pooler) {
                const [half, most] = quantiles("wait");
                tile("wait for a server").show(time(half), "99 of 100 within " + time(most), most);
            }
            const held = sum(pools.map(pool => pool.slots)), most = sum(pools.map(pool => pool.max_slots));
            tile("servers").show(count(held), `${of("active")} busy, ${of("idle")} idle, ${count(most)} at most`, held);
            if (pooler) {
                const [received, sent] = ["received_bytes", "sent_bytes"].map(name => whole.rate(name));
                tile("bytes/s").show(count(sent), "to clients, " + count(received) + " from them", sent);
            }
            tell(place("about"), pooler
                ? `${pooler.version}, up ${age(Math.max(0, Date.now() / 1000 - pooler.started_at))}, ${pooler.workers} workers` : "");
        }

        class Limit {
            constructor() {
                this.root = make(place("limits"), "li");
                [this.name, this.use] = ["name", ""].map(style => make(this.root, "span", style));
            }
            show(limit) {
                tell(this.name, limit.kind + " " + limit.name);
                tell(this.use, `${limit.servers} of ${limit.max_servers} servers`
                    + (limit.waiting_routes ? `, ${limit.waiting_routes} routes wait` : ""));
            }
        }

        function show(stats, at) {
            const routes = new Map((stats.pooler?.routes ?? []).map(route => [route.name, route]));
            const wanted = place("filter").value.toLowerCase();
            const found = stats.carom.pools.filter(pool => pool.name.toLowerCase().includes(wanted));
            showWhole(stats, at);
            follow(cards, found.slice(0, mostCards), pool => pool.name, () => {
                const card = new Card();
                place("routes").append(card.root);
                return card;
            }, (card, pool) => card.show(pool, routes.get(pool.name), at));
            tell(place("rest"), found.length > mostCards ? `and ${found.length - mostCards} more: name one above` : "");
            follow(limits, stats.pooler?.limits ?? [], limit => limit.kind + " " + limit.name, () => new Limit(), (row, limit) => row.show(limit));
        }

        async function ask() {
            const pulse = place("pulse");
            try {
                const answer = await fetch("stats", { cache: "no-store", signal: AbortSignal.timeout(5 * period) });
                const stats = await answer.json();
                lastAnswer = performance.now();
                tell(pulse, "live");
                pulse.className = "chip online";
                return stats;
            } catch {
                tell(pulse, lastAnswer ? "no answer for " + age((performance.now() - lastAnswer) / 1000) : "no answer");
                pulse.className = "chip dead";
            }
        }
        async function turn() {
            try {
                const stats = await ask();
                if (stats) show(stats, lastAnswer);
            } finally {
                setTimeout(turn, period);
            }
        }
        turn();
        """#
}
