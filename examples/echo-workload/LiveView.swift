// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromStats
import CaromTop

/// What the screen shows: the pool's table above, the claimers below.
struct LiveView {
    private(set) var claimers: [Claimer] = []
    private var selected = 0
    private var table = StatsTable()

    mutating func add(_ claimer: Claimer) {
        claimers.append(claimer)
        selected = claimers.count - 1
    }

    mutating func obey(_ key: Key) {
        switch key {
        case .backTab:
            guard claimers.indices.contains(selected) else { return }
            claimers.remove(at: selected).retire()
            selected = max(0, min(selected, claimers.count - 1))
        case .up: selected = max(0, selected - 1)
        case .down: selected = max(0, min(claimers.count - 1, selected + 1))
        case .left: change(by: .zero - Claimer.step)
        case .right: change(by: Claimer.step)
        default: break
        }
    }

    private func change(by difference: Duration) {
        if claimers.indices.contains(selected) { claimers[selected].change(by: difference) }
    }

    mutating func update(_ frame: StatsFrame) {
        table.update(frame, at: SystemPoolClock().now)
    }

    func lines(_ size: Screen.Size, _ journal: Journal.Entries) -> [String] {
        var lines = table.lines(width: size.columns)
        lines += ["", Screen.bold("\(claimers.count) claimers, \(journal.failedClaims) claims failed")]
        let room = max(1, size.rows - lines.count - 2)
        // The selected one stays in sight.
        let first = max(0, min(selected - room / 2, claimers.count - room))
        for (index, claimer) in claimers.enumerated().dropFirst(first).prefix(room) {
            let status = claimer.status
            let line =
                "\(index + 1): hold \(status.hold), \(status.claims) claims, \(Screen.printable(status.doing))"
            lines.append(index == selected ? Screen.reversed(line) : line)
        }
        if let error = journal.errors.last { lines.append(Screen.dim(Screen.printable(error))) }
        let help = "Tab add  Shift-Tab remove  Up/Down select  Left/Right hold time  q quit"
        return Array(lines.prefix(max(0, size.rows - 1))) + [Screen.dim(help)]
    }
}
