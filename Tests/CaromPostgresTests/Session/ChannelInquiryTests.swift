// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

private func row(_ columns: String?...) -> [UInt8] {
    var message: [UInt8] = []
    message.appendMessage(BackendTag.dataRow.rawValue) { body in
        body.append16(UInt16(columns.count))
        for column in columns {
            body.append32(column.map { UInt32($0.utf8.count) } ?? .max)
            body.append(contentsOf: (column ?? "").utf8)
        }
    }
    return message
}

@Suite struct ChannelInquiryTests {
    @Test func channelsAndMarksAreRead() {
        // "a", "é", a mark that is set, one that was taken back, one that never was.
        let rows =
            row("l", "", "61") + row("l", "", "c3a9") + row("m", "0", "736574") + row("m", "1", "")
            + row("m", "2", nil)
        #expect(ChannelInquiry.answer(rows) == ChannelInquiry.Answer(channels: ["a", "é"], marks: [0]))
        #expect(ChannelInquiry.answer([]) == ChannelInquiry.Answer())
    }

    @Test(arguments: [
        row("x", "", "61"), row("l", "", "6"), row("l", "", "ff"), row("m", "x", "736574"), row("l", ""),
        Array(row("l", "", "61").dropLast()),
    ])
    func whatTheQueryDoesNotGiveIsNoAnswer(_ rows: [UInt8]) {
        #expect(ChannelInquiry.answer(rows) == nil)
    }

    @Test func allMarksAreAskedForAndTakenBack() {
        let statements = ChannelInquiry.statements(marks: 2).map { String(decoding: $0, as: UTF8.self) }
        #expect(statements.count == 4 && statements[1] == "UNLISTEN *")
        for mark in 0..<2 {
            let set = String(decoding: ChannelInquiry.set(mark: mark), as: UTF8.self)
            let name = set.split(separator: " ")[1]
            #expect(statements[0].contains("current_setting('\(name)',true)"))
            #expect(statements[2 + mark] == "RESET \(name)")
        }
    }
}
