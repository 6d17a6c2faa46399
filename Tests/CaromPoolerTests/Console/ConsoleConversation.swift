// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// A console session driven without a socket, and what it said in readable lines.
struct ConsoleConversation {
    private var session: ConsoleSession
    private(set) var output: [UInt8] = []
    /// Why the session is over; nil while it goes on.
    private(set) var end: SessionEnd?
    /// How often it let the client take output first.
    private(set) var pauses = 0
    /// The most that was ever appended at once.
    private(set) var largestOutput = 0

    init(_ context: ConsoleContext = Sample.console(), as role: ConsoleRole = .admin) {
        session = ConsoleSession(context, role)
    }

    /// Sends these bytes in pieces of these sizes; what is left when the sizes run out goes at once.
    mutating func send(_ bytes: [UInt8], cuts: [Int] = []) {
        var rest = bytes[...]
        for size in cuts + [bytes.count] where !rest.isEmpty {
            let chunk = Array(rest.prefix(size))
            rest = rest.dropFirst(size)
            step { session, output throws(SessionEnd) in
                try session.received(chunk.span.bytes, into: &output)
            }
            while end == nil, session.isBehind {
                pauses += 1
                step { session, output throws(SessionEnd) in try session.resume(into: &output) }
            }
            if end != nil { return }
        }
    }

    /// What the session waits for.
    var job: ConsoleJob? { session.job }

    /// The result of the job, if there is one.
    mutating func finish(_ result: ConsoleResult) {
        if job == nil { return }
        step { session, output throws(SessionEnd) in try session.finish(result, into: &output) }
    }

    private mutating func step(
        _ body: (inout ConsoleSession, inout [UInt8]) throws(SessionEnd) -> Void
    ) {
        var fresh: [UInt8] = []
        do throws(SessionEnd) {
            try body(&session, &fresh)
        } catch {
            end = error
            if case .refused(let fields) = error { fields.encode(into: &fresh) }
        }
        largestOutput = max(largestOutput, fresh.count)
        output += fresh
    }

    /// What the session said, a line for each message.
    var lines: [String] { Self.lines(of: output) }

    /// The answer to these bytes, a line for each message, `-` for the end of the connection.
    static func answer(_ bytes: [UInt8], cuts: [Int] = []) -> [String] {
        var conversation = ConsoleConversation()
        conversation.send(bytes, cuts: cuts)
        return conversation.lines + (conversation.end == nil ? [] : ["-"])
    }

    static func lines(of bytes: [UInt8]) -> [String] {
        var lines: [String] = []
        var position = 0
        while case .frame(let header) = Framing.next(in: bytes.span.bytes, at: position) {
            let body = Array(bytes[(position + Framing.headerSize)..<(position + header.length)])
            lines.append(line(header.tag, body))
            position += header.length
        }
        if position != bytes.count { lines.append("?") }
        return lines
    }

    private static func line(_ tag: UInt8, _ body: [UInt8]) -> String {
        let span = body.span.bytes
        let letter = String(Unicode.Scalar(tag))
        do {
            switch BackendTag(rawValue: tag) {
            case .errorResponse, .noticeResponse:
                let fields = ErrorFields(body: span)
                return "\(letter) \(fields)" + (fields.hint.map { " / \($0)" } ?? "")
            case .dataRow:
                let row = try DataRow(body: span)
                return
                    "D \(row.values.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "null" }.joined(separator: "|"))"
            case .rowDescription:
                let columns = try RowDescription(body: span).columns
                return "T \(columns.map { "\($0.name):\($0.type):\($0.format)" }.joined(separator: "|"))"
            case .commandComplete: return "C \(try CommandComplete(body: span).tag)"
            case .readyForQuery: return "Z \(try ReadyForQuery(body: span).status)"
            case .parameterStatus:
                let status = try ParameterStatus(body: span)
                return "S \(status.name)=\(status.value)"
            default: return letter + (body.isEmpty ? "" : " \(body.count)")
            }
        } catch {
            return "\(letter) malformed: \(error)"
        }
    }
}

/// Messages of a client.
enum ClientMessage {
    static func query(_ text: String) -> [UInt8] { bytes { Query(text).encode(into: &$0) } }

    static func parse(_ text: String, as name: String = "") -> [UInt8] {
        bytes { Parse(name: name, query: text).encode(into: &$0) }
    }

    static func bind(
        _ statement: String = "", portal: String = "", parameters: [[UInt8]?] = [],
        formats: [ValueFormat] = []
    ) -> [UInt8] {
        bytes {
            Bind(
                portal: Array(portal.utf8), statement: Array(statement.utf8), parameters: parameters,
                resultFormats: formats
            ).encode(into: &$0)
        }
    }

    static func describe(_ target: DescribeTarget, _ name: String = "") -> [UInt8] {
        bytes { NamedObject(target, name: name).encodeDescribe(into: &$0) }
    }

    static func close(_ target: DescribeTarget, _ name: String = "") -> [UInt8] {
        bytes { NamedObject(target, name: name).encodeClose(into: &$0) }
    }

    static func execute(_ portal: String = "", limit: UInt32 = 0) -> [UInt8] {
        bytes { Execute(portal: Array(portal.utf8), limit: limit).encode(into: &$0) }
    }

    static func empty(_ tag: FrontendTag) -> [UInt8] { bytes { tag.encodeEmpty(into: &$0) } }
    static var sync: [UInt8] { empty(.sync) }

    private static func bytes(_ encode: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        encode(&bytes)
        return bytes
    }
}
