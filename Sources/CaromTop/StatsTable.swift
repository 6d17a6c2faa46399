// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
public import CaromStats

/// What messages of a stream say about each backend, over time, as lines of a table.
public struct StatsTable: Sendable {
    /// What the rows are sorted by.
    public enum Order: String, CaseIterable, Sendable {
        /// The backend's name.
        case name
        /// Its state, in alphabetical order.
        case state
        /// Claims a second.
        case claims
        /// Connects in flight.
        case connecting
        /// Connections ready to be lent.
        case idle
        /// Connections lent.
        case claimed
        /// Connections under check.
        case checking
        /// Waits, by their 99th percentile.
        case wait
        /// Holds, by their 99th percentile.
        case hold
    }

    struct Row: Sendable {
        var counts: StatsFrame.SetCounts
        var details: BackendDetails?
        /// Claims a second between messages, oldest first; empty before the second message.
        var rates: [Double] = []
        var changed: PoolInstant
    }

    /// Values kept for the sparkline.
    static let history = 120

    private(set) var rows: [String: Row] = [:]
    private(set) var pools: [PoolDetails] = []
    /// Claims a second over all backends; nil before rates are known.
    public private(set) var claimRate: Double?

    /// A table before the first message.
    public init() {}

    /// Whether there was no message yet.
    public private(set) var isEmpty = true
    /// Whether the time between messages was long enough to know rates, or there is nothing to have one.
    public var hasRates: Bool { !isEmpty && (rows.isEmpty || claimRate != nil) }

    /// Takes in a message that came at this time.
    public mutating func update(_ frame: StatsFrame, at now: PoolInstant) {
        let details = Dictionary(
            (frame.carom?.pools ?? []).flatMap(\.backends).map { ($0.key, $0) },
            uniquingKeysWith: { first, _ in first })
        var rows: [String: Row] = [:]
        var sum = 0.0
        for (key, counts) in frame.sets {
            var row = self.rows[key] ?? Row(counts: counts, changed: now)
            let elapsed = now.duration(since: row.changed) / .seconds(1)
            // Messages that changes caused come in quick succession: too short a time makes wild rates.
            if elapsed >= 0.2 {
                // A backend that came back starts again from nothing.
                let before = row.counts.totalClaims <= counts.totalClaims ? row.counts.totalClaims : 0
                row.rates.append(Double(counts.totalClaims - before) / elapsed)
                if row.rates.count > Self.history { row.rates.removeFirst() }
                row.changed = now
                row.counts = counts
            } else {
                let total = row.counts.totalClaims
                row.counts = counts
                row.counts.totalClaims = total
            }
            row.details = details[key]
            sum += row.rates.last ?? 0
            rows[key] = row
        }
        claimRate = rows.values.contains { !$0.rates.isEmpty } ? sum : nil
        self.rows = rows
        pools = frame.carom?.pools ?? []
        isEmpty = false
    }

    /// The keys of the rows in this order; equals by name.
    public func keys(by order: Order, reversed: Bool = false) -> [String] {
        let keys = rows.keys.sorted { left, right in
            guard let first = rows[left], let second = rows[right] else { return left < right }
            let (a, b) = (first.rank(order), second.rank(order))
            if a != b { return a < b }
            return order == .state && first.state != second.state ? first.state < second.state : left < right
        }
        return reversed ? keys.reversed() : keys
    }
}

extension StatsTable.Row {
    var state: String { details?.state ?? "" }

    /// What the row is sorted by: the most first, names and states in their own order.
    func rank(_ order: StatsTable.Order) -> Double {
        switch order {
        case .name, .state: 0
        case .claims: -(rates.last ?? 0)
        case .connecting: -Double(counts.connecting)
        case .idle: -Double(counts.unclaimed)
        case .claimed: -Double(counts.claimed)
        case .checking: -Double(counts.checking)
        case .wait: -(details?.wait?.p99 ?? 0)
        case .hold: -(details?.hold?.p99 ?? 0)
        }
    }
}
