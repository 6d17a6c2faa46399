// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

/// A conversation in one line: `>Q` the client's Query, `<T` the server's RowDescription, `<ZI` its
/// ReadyForQuery (idle).
struct FlowScript: CustomTestStringConvertible, Sendable {
    enum Step: Equatable, Sendable {
        case sent(UInt8)
        case received(UInt8, first: UInt8)
    }

    let name: String
    let steps: [Step]

    var testDescription: String { name }

    init(_ name: String, _ line: String) {
        self.name = name
        steps = line.split(separator: " ").map { word in
            let bytes = Array(word.utf8)
            return bytes[0] == UInt8(ascii: ">")
                ? .sent(bytes[1]) : .received(bytes[1], first: bytes.count > 2 ? bytes[2] : 0)
        }
    }

    /// A flow after this line.
    static func play(_ line: String, on flow: QueryFlow = QueryFlow()) throws -> QueryFlow {
        var flow = flow
        for step in FlowScript("", line).steps { try flow.play(step) }
        return flow
    }
}

extension QueryFlow {
    mutating func play(_ step: FlowScript.Step) throws(FlowError) {
        switch step {
        case .sent(let tag): try sent(tag)
        case .received(let tag, let first): try received(tag, firstBodyByte: first)
        }
    }
}
