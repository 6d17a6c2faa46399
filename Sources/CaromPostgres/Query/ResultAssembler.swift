// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Makes results out of a server's messages. Pure: it is shown each message once, in order.
struct ResultAssembler {
    /// What to keep of the answer to a query with several statements.
    enum Keeping: Equatable {
        /// Every statement's result.
        case all
        /// The last statement's result.
        case last
        /// The last statement's command tag; rows are dropped as they come.
        case tag
        /// Rows until they are taken with ``takeRows()``, and the command tag.
        case untilTaken
    }

    /// The COPY that the query turned out to be.
    enum Copy: Equatable {
        /// The server waits for data.
        case fromClient
        /// The server sends data.
        case toClient
    }

    private var keeping: Keeping
    private let maximumBytes: Int
    private(set) var results: [PostgresResult] = []
    /// The first error that the server reported.
    private(set) var error: ErrorFields?
    /// The query is a COPY, which has no rows.
    private(set) var copy: Copy?
    /// The server has taken the statement's text.
    private(set) var hasParsed = false
    /// The server has taken the statement's values: from here on it may have done something.
    private(set) var hasBound = false
    /// The server waits to be asked for more rows.
    private(set) var isSuspended = false
    /// More came than may be kept.
    private(set) var hasOverflowed = false

    private var columns: [PostgresColumn] = []
    private var rowCount = 0
    private var bytes: [UInt8] = []
    private var places: [Int] = []
    private var notices: [PostgresNotice] = []
    private var used = 0
    private var usedByNotices = 0

    init(keeping: Keeping, maximumBytes: Int) {
        self.keeping = keeping
        self.maximumBytes = maximumBytes
    }

    /// The rows that have come since the last call; nil if there are none.
    mutating func takeRows() -> ResultContents? {
        guard keeping == .untilTaken, rowCount > 0 else { return nil }
        defer {
            rowCount = 0
            bytes = []
            places = []
            used = usedByNotices
        }
        return ResultContents(columns: columns, rowCount: rowCount, bytes: bytes, places: places)
    }

    /// From now on rows are dropped as they come.
    mutating func dropRows() {
        keeping = .tag
        rowCount = 0
        bytes = []
        places = []
    }

    /// The server has been asked for more rows.
    mutating func resume() { isSuspended = false }

    /// Whether a message of this length need not be waited for: it would not be kept.
    func exceeds(_ tag: BackendTag?, length: Int) -> Bool {
        // Whatever the limit, there is room for an error and for the names of the columns.
        let room = tag == .dataRow && keeping != .tag ? maximumBytes - used : max(1 << 20, maximumBytes)
        return length - Framing.headerSize > room
    }

    /// Remembers that a message was not taken because it is too long.
    mutating func overflow() {
        hasOverflowed = true
        results = []
        startStatement()
    }

    /// Takes a message in.
    ///
    /// - Throws: ``WireError`` for a message that is not what its type says.
    mutating func take(_ tag: BackendTag, _ body: RawSpan) throws(WireError) {
        switch tag {
        case .rowDescription:
            columns = try RowDescription(body: body).columns.map {
                PostgresColumn(
                    name: $0.name, type: PostgresType(rawValue: $0.type),
                    format: $0.format == .binary ? .binary : .text)
            }
        case .dataRow: try takeRow(body)
        case .commandComplete: finish(try CommandComplete(body: body))
        case .emptyQueryResponse: finish(CommandComplete(tag: ""))
        case .errorResponse:
            if error == nil { error = ErrorFields(body: body) }
            results = []
            startStatement()
        case .noticeResponse:
            used += body.byteCount
            usedByNotices += body.byteCount
            if used > maximumBytes {
                overflow()
            } else {
                notices.append(PostgresNotice(ErrorFields(body: body)))
            }
        case .copyInResponse: copy = .fromClient
        case .copyOutResponse, .copyBothResponse: copy = .toClient
        case .authentication, .backendKeyData, .closeComplete, .copyData, .copyDone,
            .functionCallResponse, .negotiateProtocolVersion, .noData, .notificationResponse,
            .parameterDescription, .parameterStatus, .readyForQuery:
            break
        case .parseComplete: hasParsed = true
        case .bindComplete: hasBound = true
        case .portalSuspended: isSuspended = true
        }
    }

    private mutating func takeRow(_ body: RawSpan) throws(WireError) {
        guard !hasOverflowed, error == nil, keeping != .tag else { return }
        used += body.byteCount + 8 * (columns.count + 1)
        guard used <= maximumBytes else { return overflow() }
        let start = bytes.count
        var found = 0
        var reader = WireReader(body)
        let count = try reader.readCount(minimum: 4)
        guard count == columns.count else { throw .invalidCount(count) }
        while found < count {
            places.append(start + reader.position)
            _ = try reader.readValue()
            found += 1
        }
        try reader.finish()
        body.withUnsafeBytes { bytes.append(contentsOf: $0) }
        rowCount += 1
    }

    private mutating func finish(_ command: CommandComplete) {
        // Rows that nobody has taken yet are still to be.
        defer { if keeping != .untilTaken { startStatement() } }
        guard !hasOverflowed, error == nil, keeping != .untilTaken else { return }
        if keeping != .all {
            results.removeAll(keepingCapacity: true)
            used = 0
        }
        results.append(
            PostgresResult(
                contents: ResultContents(columns: columns, rowCount: rowCount, bytes: bytes, places: places),
                commandTag: command.tag, affectedRows: command.rows, notices: notices))
    }

    private mutating func startStatement() {
        columns = []
        rowCount = 0
        bytes = []
        places = []
        notices = []
    }
}
