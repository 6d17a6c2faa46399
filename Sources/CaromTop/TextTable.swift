// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Columns of text under a heading, as wide as their widest cell.
struct TextTable: Sendable {
    /// How a column stands.
    enum Alignment: Sendable {
        case left
        case right
    }

    /// A column's heading and alignment.
    struct Column: Sendable {
        let title: String
        let alignment: Alignment

        init(_ title: String, _ alignment: Alignment = .right) {
            self.title = title
            self.alignment = alignment
        }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row of one cell for each column.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a row has one cell for each column")
        rows.append(cells.map(Screen.printable))
    }

    /// The heading and the rows, each one line.
    var lines: [String] {
        var widths = columns.map(\.title.count)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        return ([columns.map(\.title)] + rows).map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let gap = String(repeating: " ", count: widths[index] - cell.count)
                if index > 0 { line += "  " }
                line += columns[index].alignment == .left ? cell + gap : gap + cell
            }
            return line
        }
    }
}
