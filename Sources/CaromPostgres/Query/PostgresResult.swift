// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What one statement gave: its rows, as a collection, and what the server says it did.
///
/// All rows lie in one piece of memory that lives as long as the result, a row or a cell of it does.
public struct PostgresResult: Sendable {
    let contents: ResultContents
    /// The rows' columns; empty for a statement without rows.
    public var columns: [PostgresColumn] { contents.columns }
    /// The server's words for what was done, such as `INSERT 0 3`; empty for an empty statement.
    public let commandTag: String
    /// Rows returned, inserted, updated, deleted, merged, moved or copied; nil for a statement that does not count.
    public let affectedRows: Int?
    /// What the server said while it worked on the statement.
    public let notices: [PostgresNotice]
}

extension PostgresResult: RandomAccessCollection {
    /// The first row.
    public var startIndex: Int { 0 }

    /// The number of rows.
    public var endIndex: Int { contents.rowCount }

    /// A row.
    public subscript(position: Int) -> PostgresRow {
        precondition(
            indices.contains(position), "a result of \(contents.rowCount) rows has no row \(position)")
        return PostgresRow(contents: contents, number: position)
    }
}

/// The rows of one result as they came over the wire, and where each value stands in them.
final class ResultContents: Sendable {
    let columns: [PostgresColumn]
    let rowCount: Int
    let bytes: [UInt8]
    /// The place of each value's length word, row by row.
    let places: [Int]

    init(columns: [PostgresColumn], rowCount: Int, bytes: [UInt8], places: [Int]) {
        self.columns = columns
        self.rowCount = rowCount
        self.bytes = bytes
        self.places = places
    }

    /// Where the value stands; nil is SQL null.
    func range(row: Int, column: Int) -> Range<Int>? {
        let place = places[row * columns.count + column]
        let length = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[place + $1]) }
        let count = Int(Int32(bitPattern: length))
        return count < 0 ? nil : (place + 4)..<(place + 4 + count)
    }
}
