// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromStats

extension StatsTable {
    /// The pools, each in a line, and the table, for a terminal of this width.
    ///
    /// - Parameters:
    ///   - width: the terminal's, in characters; what is left beside the columns shows the rates of the past.
    ///   - order: what the rows are sorted by.
    ///   - reversed: whether the order is turned round.
    ///   - styled: whether bold and dim text is marked with escape sequences.
    public func lines(
        width: Int, order: Order = .name, reversed: Bool = false, styled: Bool = true
    ) -> [String] {
        var table = TextTable(Self.columns(order))
        let keys = keys(by: order, reversed: reversed)
        for key in keys {
            if let row = rows[key] { table.add(row.cells(key)) }
        }
        var lines = table.lines
        let room = min(Self.history, width - (lines.first?.count ?? 0) - 2)
        if room >= 10 {
            let top = rows.values.flatMap(\.rates).max()
            lines[0] += "  " + "CLAIMS/S, NEWEST RIGHT".prefix(room)
            for (index, key) in keys.enumerated() {
                lines[index + 1] += "  " + Sparkline.draw(rows[key]?.rates ?? [], width: room, top: top)
            }
        }
        if styled {
            lines[0] = Screen.bold(lines[0])
            for (index, key) in keys.enumerated() where ["dead", "draining"].contains(rows[key]?.state) {
                lines[index + 1] = Screen.dim(lines[index + 1])
            }
        }
        return pools.map(Self.summary) + [""] + lines
    }

    private static func columns(_ order: Order) -> [TextTable.Column] {
        let titles: [(String, Order?)] = [
            ("BACKEND", .name), ("STATE", .state), ("CONN", .connecting), ("IDLE", .idle),
            ("CLAIMED", .claimed),
            ("CHECK", .checking), ("CLAIMS/S", .claims), ("WAIT P50", nil), ("P99", .wait), ("HOLD P50", nil),
            ("P99", .hold),
        ]
        return titles.enumerated().map { index, title in
            TextTable.Column(title.1 == order ? "*" + title.0 : title.0, index < 2 ? .left : .right)
        }
    }

    private static func summary(_ pool: PoolDetails) -> String {
        var text =
            "\(Screen.printable(pool.name)): \(Screen.printable(pool.state)), \(pool.waiters) waiting, "
        text += "\(pool.slots) of \(pool.maxSlots) slots"
        if let wait = pool.wait { text += ", wait \(spread(wait))" }
        if let hold = pool.hold { text += ", hold \(spread(hold))" }
        return text
    }

    private static func spread(_ quantiles: Quantiles) -> String {
        guard quantiles.count > 0 else { return "unknown" }
        let values = [quantiles.p50, quantiles.p90, quantiles.p99, quantiles.max].map(time)
        return "p50 \(values[0]) p90 \(values[1]) p99 \(values[2]) max \(values[3])"
    }

    /// A time in seconds, with three digits and a unit.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<0.000_001: "0"
        case ..<0.000_999_5: "\(digits(seconds * 1e6))µs"
        case ..<0.999_5: "\(digits(seconds * 1e3))ms"
        default: "\(digits(seconds))s"
        }
    }

    /// A number with at most three digits that count.
    public static func digits(_ value: Double) -> String {
        let places: Double = value < 9.995 ? 100 : value < 99.95 ? 10 : 1
        // What came over the network may be any number, or none.
        guard value >= 0, value < 1e15 else { return "?" }
        let scaled = Int((value * places).rounded())
        let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: Int(places))
        if places == 1 { return String(whole) }
        let tail = String(fraction)
        return "\(whole)." + String(repeating: "0", count: (places == 100 ? 2 : 1) - tail.count) + tail
    }
}

extension StatsTable.Row {
    fileprivate func cells(_ key: String) -> [String] {
        [
            key, state, String(counts.connecting), String(counts.unclaimed), String(counts.claimed),
            String(counts.checking), rates.last.map(StatsTable.digits) ?? "",
            time(details?.wait, \.p50), time(details?.wait, \.p99), time(details?.hold, \.p50),
            time(details?.hold, \.p99),
        ]
    }

    private func time(_ quantiles: Quantiles?, _ value: KeyPath<Quantiles, Double>) -> String {
        guard let quantiles, quantiles.count > 0 else { return "" }
        return StatsTable.time(quantiles[keyPath: value])
    }
}
