// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

extension ResolverReport {
    /// What it knows, as a table for people.
    package var text: String {
        var lines = ["\(title) (\(type.rawValue)): \(summary)"]
        if let trouble { lines.append("  \(failures) failed in a row: \(trouble)") }
        guard let servers, !servers.isEmpty else { return lines.joined(separator: "\n") }
        let head = ["name", "address", "priority", "weight", "ttl", "attributes", "learnt from"]
        let rows = [head] + servers.map(\.cells)
        let widths = head.indices.dropLast().map { column in rows.map { $0[column].count }.max() ?? 0 }
        lines += rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return "  " + (cells + [row[row.count - 1]]).joined(separator: "  ")
        }
        return lines.joined(separator: "\n")
    }

    private var summary: String {
        switch servers?.count {
        case nil: "nothing is known yet"
        case 1?: "1 server"
        case let count?: "\(count) servers"
        }
    }

    /// What has changed since an earlier report of the same resolver, a line each.
    package func changes(since old: ResolverReport) -> [String] {
        let before = Dictionary((old.servers ?? []).map { ($0.backend.id, $0.backend) }) { first, _ in first }
        let after = Set((servers ?? []).map(\.backend.id))
        var lines: [String] = []
        for server in servers ?? [] {
            let known = before[server.backend.id]
            if known == nil { lines.append("+ \(title): \(server.line)") }
            if let known, known != server.backend { lines.append("~ \(title): \(server.line)") }
        }
        for server in old.servers ?? [] where !after.contains(server.backend.id) {
            lines.append("- \(title): \(server.line)")
        }
        if old.servers == nil, servers?.isEmpty == true { lines.append("= \(title): there is no server") }
        return lines
    }
}

extension ResolverReport.Server {
    fileprivate var cells: [String] {
        let attributes = backend.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let seconds = timeLeft.map { left in
            let tenths = Int(left / .milliseconds(100))
            return "\(tenths / 10).\(tenths % 10)s"
        }
        return [
            backend.name, backend.address.description, "\(backend.priority)", "\(backend.weight)",
            seconds ?? "-", attributes.isEmpty ? "-" : attributes.joined(separator: " "), source,
        ]
    }

    fileprivate var line: String {
        "\(backend.id) priority \(backend.priority) weight \(backend.weight), learnt from \(source)"
    }
}
