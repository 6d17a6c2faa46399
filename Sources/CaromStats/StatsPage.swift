// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The page at `/`: a table that follows `/stats`. It loads nothing from elsewhere.
enum StatsPage {
    static let html = """
        <!doctype html>
        <meta charset="utf-8"><title>Pools</title>
        <style>
        body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
        table { border-collapse: collapse; margin: .5rem 0 2rem } h2 { font-size: 1rem; margin: 0 }
        th, td { padding: .15rem .8rem; text-align: right; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums }
        th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
        .dead, .failed { color: #b00 } .suspect, .suspended { color: #a60 } .draining { color: #888 }
        @media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } th, td { border-color: #333 } }
        </style>
        <div id="pools">…</div>
        <script>
        const last = new Map();
        const columns = ["backend", "state", "connecting", "idle", "claimed", "checking", "claims/s", "total",
            "wait p50", "wait p99", "hold p50", "hold p99", "last error"];
        function add(parent, name, text, style) {
            const element = parent.appendChild(document.createElement(name));
            if (text !== undefined) element.textContent = text;
            if (style) element.className = style;
            return element;
        }
        function time(spread, quantile) {
            if (!spread || !spread.count) return "";
            const s = spread[quantile];
            return s >= 1 ? s.toFixed(2) + " s" : s >= 1e-3 ? (s * 1e3).toFixed(1) + " ms" : (s * 1e6).toFixed(0) + " µs";
        }
        function rate(key, total, now) {
            const before = last.get(key);
            last.set(key, { total, now });
            return before && total >= before.total ? Math.round((total - before.total) * 1000 / (now - before.now)) : "";
        }
        async function show() {
            const now = performance.now(), root = document.createElement("div");
            try {
                const stats = await (await fetch("stats")).json();
                for (const pool of stats.carom.pools) {
                    add(root, "h2", pool.name + ": " + pool.state, pool.state);
                    add(root, "div", pool.waiters + " waiting, " + pool.slots + " of " + pool.max_slots + " slots, wait "
                        + time(pool.wait_seconds, "p50") + " / " + time(pool.wait_seconds, "p99") + ", hold "
                        + time(pool.hold_seconds, "p50") + " / " + time(pool.hold_seconds, "p99"));
                    const table = add(root, "table"), head = add(table, "tr");
                    for (const title of columns) add(head, "th", title);
                    for (const b of pool.backends) {
                        const row = add(table, "tr", undefined, b.state);
                        for (const cell of [b.key, b.state, b.connecting_slots, b.idle_slots,
                            b.claimed_slots + b.acquiring_slots, b.checking_slots + b.recycling_slots,
                            rate(b.key, b.total_claims, now), b.total_claims,
                            time(b.wait_seconds, "p50"), time(b.wait_seconds, "p99"), time(b.hold_seconds, "p50"),
                            time(b.hold_seconds, "p99"), b.last_error || ""]) add(row, "td", cell);
                    }
                }
            } catch (error) { add(root, "p", "no answer: " + error); }
            document.getElementById("pools").replaceChildren(root);
            setTimeout(show, 1000);
        }
        show();
        </script>
        """
}
