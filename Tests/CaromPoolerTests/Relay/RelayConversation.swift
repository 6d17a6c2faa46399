// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromTestSupport

/// A recorded conversation as bytes: what the client sent in one go, and everything that came back for it, in turns.
struct RelayConversation {
    struct Turn {
        var client: [UInt8] = []
        var server: [UInt8] = []
        /// ReadyForQuery messages in `server`.
        var answers = 0
        /// ReadyForQuery messages that PostgreSQL would send if every request in `client` failed at once.
        var answersIfAllFail = 0
        /// … and if every request succeeded and none was a COPY.
        var answersIfAllSucceed = 0
        private var isSkipping = false
        /// The client goes on with a COPY, and asks for nothing else.
        var bringsOnlyCopyData = true

        fileprivate mutating func count(_ tag: UInt8) {
            switch FrontendTag(rawValue: tag) {
            case .query, .functionCall:
                answersIfAllSucceed += 1
                if !isSkipping { answersIfAllFail += 1 }
            case .sync:
                answersIfAllSucceed += 1
                answersIfAllFail += 1
                isSkipping = false
            case .parse, .bind, .describe, .execute, .close: isSkipping = true
            default: break
            }
        }
    }

    let name: String
    private(set) var turns: [Turn] = []

    init(_ script: FlowScript) {
        name = script.name
        var turn = Turn()
        for (place, step) in script.steps.enumerated() {
            switch step {
            case .sent(let tag):
                if !turn.server.isEmpty {
                    turns.append(turn)
                    turn = Turn()
                }
                turn.client += Self.clientMessage(tag, place)
                if !Self.copyTags.contains(tag) { turn.bringsOnlyCopyData = false }
                turn.count(tag)
            case .received(let tag, let first):
                turn.server += Self.serverMessage(tag, first, place)
                if tag == BackendTag.readyForQuery.rawValue { turn.answers += 1 }
            }
        }
        turns.append(turn)
    }

    private static let copyTags = TagSet([.copyData, .copyDone, .copyFail, .flush] as [FrontendTag])

    /// A message of this type whose body is of no meaning to a relay; its length depends on its place.
    private static func clientMessage(_ tag: UInt8, _ place: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendMessage(tag) { body in
            switch FrontendTag(rawValue: tag) {
            case .query: body.appendText("select \(place)")
            case .parse:
                body.appendText("")
                body.appendText("select \(place)")
                body.append16(0)
            case .sync, .flush, .copyDone, .terminate: break
            default: body.append(contentsOf: Array(repeating: UInt8(ascii: "c"), count: 1 + place % 7))
            }
        }
        return bytes
    }

    private static func serverMessage(_ tag: UInt8, _ first: UInt8, _ place: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        switch BackendTag(rawValue: tag) {
        case .readyForQuery:
            bytes.appendMessage(tag) { $0.append(first) }
        case .errorResponse:
            ErrorFields(severity: .error, code: .syntaxError, message: "wrong at \(place)").encode(
                into: &bytes)
        case .noticeResponse:
            bytes.appendMessage(tag) { body in
                body.append(UInt8(ascii: "S"))
                body.appendText("NOTICE")
                body.append(0)
            }
        case .commandComplete:
            bytes.appendMessage(tag) { $0.appendText("SELECT \(place)") }
        case .parameterStatus:
            ParameterStatus(name: "TimeZone", value: "Zone/\(place)").encode(into: &bytes)
        case .parseComplete, .bindComplete, .closeComplete, .noData, .portalSuspended, .copyDone,
            .emptyQueryResponse:
            bytes.appendEmptyMessage(tag)
        default:
            bytes.appendMessage(tag) {
                $0.append(contentsOf: Array(repeating: UInt8(ascii: "s"), count: 2 + place % 11))
            }
        }
        return bytes
    }
}
