// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromTestSupport
import Testing

@testable import CaromPostgres

@Suite struct ResultAssemblerTests {
    private static func body(_ encode: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        encode(&bytes)
        return Array(bytes.dropFirst(Framing.headerSize))
    }

    private static func assemble(
        _ messages: [(BackendTag, [UInt8])], keeping: ResultAssembler.Keeping = .all,
        maximumBytes: Int = 1 << 20
    ) throws -> ResultAssembler {
        var assembler = ResultAssembler(keeping: keeping, maximumBytes: maximumBytes)
        for (tag, body) in messages { try assembler.take(tag, body.span.bytes) }
        return assembler
    }

    private static let columns = body {
        RowDescription(columns: [
            RowDescription.Column("id", type: 23), RowDescription.Column("name", type: 25),
        ]).encode(into: &$0)
    }

    private static func row(_ texts: String?...) -> (BackendTag, [UInt8]) {
        (.dataRow, body { DataRow(texts: texts).encode(into: &$0) })
    }

    private static func complete(_ tag: String) -> (BackendTag, [UInt8]) {
        (.commandComplete, body { CommandComplete(tag: tag).encode(into: &$0) })
    }

    @Test func rowsBecomeAResultWithColumnsAndTag() throws {
        let assembler = try Self.assemble([
            (.rowDescription, Self.columns), Self.row("1", "one"), Self.row("2", nil),
            Self.complete("SELECT 2"),
        ])
        let result = try #require(assembler.results.first)
        #expect(assembler.results.count == 1)
        #expect(result.columns.map(\.name) == ["id", "name"])
        #expect(result.map { $0["id"]?.int } == [1, 2])
        #expect(result.map { $0["name"]?.string } == ["one", nil])
        #expect(result.map { $0[1].isNull } == [false, true])
        #expect(result.affectedRows == 2)
        #expect(result.commandTag == "SELECT 2")
    }

    @Test func eachWayOfKeepingKeepsWhatItSays() throws {
        let messages = [
            (.rowDescription, Self.columns), Self.row("1", "one"), Self.complete("SELECT 1"),
            Self.complete("INSERT 0 7"),
            (.rowDescription, Self.columns), Self.row("2", "two"), Self.complete("SELECT 1"),
        ]
        let all = try Self.assemble(messages, keeping: .all).results
        #expect(all.map(\.commandTag) == ["SELECT 1", "INSERT 0 7", "SELECT 1"])
        #expect(all.map(\.count) == [1, 0, 1])
        #expect(all.map(\.columns.count) == [2, 0, 2])
        let last = try Self.assemble(messages, keeping: .last).results
        #expect(last.map { $0.first?[1].string } == ["two"])
        let tag = try Self.assemble(messages, keeping: .tag).results
        #expect(tag.map(\.count) == [0])
        #expect(tag.map(\.affectedRows) == [1])
    }

    @Test func theLimitCountsRowsAndPlacesAndIsForWhatIsKept() throws {
        // 2 bytes of count, 4 + 1 and 4 + 3 of values, 3 times 8 of places.
        let cost = 2 + 5 + 7 + 24
        let rows = [(.rowDescription, Self.columns), Self.row("1", "one"), Self.row("2", "two")]
        #expect(try !Self.assemble(rows, maximumBytes: 2 * cost).hasOverflowed)
        #expect(try Self.assemble(rows, maximumBytes: 2 * cost - 1).hasOverflowed)
        #expect(try !Self.assemble(rows, keeping: .tag, maximumBytes: 0).hasOverflowed)
        let twice = rows + [Self.complete("SELECT 2")] + rows + [Self.complete("SELECT 2")]
        #expect(try Self.assemble(twice, keeping: .all, maximumBytes: 3 * cost).hasOverflowed)
        #expect(try !Self.assemble(twice, keeping: .last, maximumBytes: 2 * cost).hasOverflowed)
    }

    @Test func theFirstErrorCountsAndTheResultsAreGone() throws {
        let errors = ["22012", "25P02"].map { code in
            (
                BackendTag.errorResponse,
                Self.body { bytes in
                    guard let state = SQLState(code) else { return }
                    ErrorFields(severity: .error, code: state, message: code).encode(into: &bytes)
                }
            )
        }
        let assembler = try Self.assemble([Self.complete("SELECT 1")] + errors)
        #expect(assembler.results.isEmpty)
        #expect(assembler.error?.message == "22012")
    }

    @Test func aRowOfAnotherWidthThanItsDescriptionIsRefused() {
        #expect(throws: WireError.invalidCount(3)) {
            try Self.assemble([(.rowDescription, Self.columns), Self.row("1", "2", "3")])
        }
    }

    /// Every body cut off anywhere, and with any byte changed: an error or a result, never a trap.
    @Test func mutatedBodiesNeverTrap() {
        var random = SeededRandom.printed(for: "the mutations")
        let rows = [Self.row("1", "one").1, Self.columns, Self.complete("SELECT 1").1]
        let tags: [BackendTag] = [
            .dataRow, .rowDescription, .commandComplete, .errorResponse, .noticeResponse,
        ]
        let (columns, end) = (Self.columns, Self.complete("SELECT 1").1)
        for _ in 0..<20_000 {
            var body = rows.randomElement(using: &random) ?? []
            if Bool.random(using: &random) { body.removeLast(Int.random(in: 0...body.count, using: &random)) }
            if !body.isEmpty {
                body[Int.random(in: 0..<body.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            var assembler = ResultAssembler(keeping: .all, maximumBytes: 1 << 16)
            try? assembler.take(.rowDescription, columns.span.bytes)
            try? assembler.take(tags.randomElement(using: &random) ?? .dataRow, body.span.bytes)
            try? assembler.take(.commandComplete, end.span.bytes)
            for row in assembler.results.joined() {
                for cell in row { _ = (cell.string, cell.int, cell.double, cell.bool, cell.bytes) }
            }
        }
    }
}
