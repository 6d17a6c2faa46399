// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Columns of text under a heading, as wide as their widest cell.
package struct TextTable: Sendable {
    /// How a column stands.
    package enum Alignment: Sendable {
        case left
        case right
    }

    /// A column's heading and alignment.
    package struct Column: Sendable {
        package let title: String
        package let alignment: Alignment

        package init(_ title: String, _ alignment: Alignment = .right) {
            self.title = title
            self.alignment = alignment
        }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    package init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row of one cell for each column.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a row has one cell for each column")
        rows.append(cells.map(TextTable.printable))
    }

    /// The heading and the rows, each one line.
    package var lines: [String] {
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

    /// The text without control characters: names come from the network and must not steer the terminal.
    package static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "?" : scalar) }
        return String(result)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
