// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol
import Testing

/// A conversation in one line: `>Q` the client's Query, `<T` the server's RowDescription, `<ZI` its
/// ReadyForQuery (idle).
package struct FlowScript: CustomTestStringConvertible, Sendable {
    package enum Step: Equatable, Sendable {
        case sent(UInt8)
        case received(UInt8, first: UInt8)
    }

    package let name: String
    package let steps: [Step]

    package var testDescription: String { name }

    package init(_ name: String, _ line: String) {
        self.name = name
        steps = line.split(separator: " ").map { word in
            let bytes = Array(word.utf8)
            return bytes[0] == UInt8(ascii: ">")
                ? .sent(bytes[1]) : .received(bytes[1], first: bytes.count > 2 ? bytes[2] : 0)
        }
    }

    /// A flow after this line.
    package static func play(_ line: String, on flow: QueryFlow = QueryFlow()) throws -> QueryFlow {
        var flow = flow
        for step in FlowScript("", line).steps { try flow.play(step) }
        return flow
    }
}

extension QueryFlow {
    package mutating func play(_ step: FlowScript.Step) throws(FlowError) {
        switch step {
        case .sent(let tag): try sent(tag)
        case .received(let tag, let first): try received(tag, firstBodyByte: first)
        }
    }
}
