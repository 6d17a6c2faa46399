// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres

/// Everything a log line can show, before a format puts it into bytes.
struct LogLine {
    var time: LogTime
    var processID: Int32
    var threadID: UInt64
    var level: LogLevel
    var context: LogContext
    var message: String

    /// Bytes of a message that are kept. With everything else on the line it stays below the 4096 bytes that a pipe
    /// takes in one piece, so lines of several threads never run into one another.
    static let longestMessage = 2048
    /// Bytes of a name that are kept.
    static let longestName = 128
}

extension LogFormat {
    /// Appends a line with its newline.
    func append(_ line: LogLine, to bytes: inout [UInt8]) {
        guard !isJSON else { return appendJSON(line, to: &bytes) }
        for segment in segments {
            switch segment {
            case .literal(let literal): bytes += literal
            case .field(let field): append(field, of: line, to: &bytes)
            }
        }
    }

    /// Whether lines show the thread; asking for it costs a system call.
    var showsThread: Bool { isJSON || segments.contains(.field(.threadID)) }

    private func append(_ field: Field, of line: LogLine, to bytes: inout [UInt8]) {
        let context = line.context
        switch field {
        case .unixTime: bytes.append(decimal: line.time.seconds)
        case .timestamp: line.time.appendTimestamp(withMilliseconds: false, to: &bytes)
        case .milliseconds: bytes.append(decimal: Int64(line.time.nanoseconds / 1_000_000), digits: 3)
        case .processID: bytes.append(decimal: Int64(line.processID))
        case .threadID: bytes.append(hexadecimal: line.threadID)
        case .clientID: append(context.clientID, to: &bytes)
        case .serverID: append(context.serverID, to: &bytes)
        case .user: append(name: context.user, to: &bytes)
        case .database: append(name: context.database, to: &bytes)
        case .context: bytes += context.phase.rawValue.utf8
        case .level: bytes += line.level.rawValue.utf8
        case .message: bytes.append(line.message, escaping: .controls, limit: LogLine.longestMessage)
        case .escapedMessage: bytes.append(line.message, escaping: .keyValue, limit: LogLine.longestMessage)
        case .clientHost: append(name: context.clientHost, to: &bytes)
        case .clientPort: append(name: context.clientPort.map { "\($0)" }, to: &bytes)
        case .serverHost: append(name: context.serverHost, to: &bytes)
        case .externalID: append(name: context.externalID, to: &bytes)
        }
    }

    private func append(_ id: ConnectionID?, to bytes: inout [UInt8]) {
        if let id { id.append(to: &bytes) } else { bytes += "none".utf8 }
    }

    private func append(name: String?, to bytes: inout [UInt8]) {
        bytes.append(name ?? "none", escaping: .controls, limit: LogLine.longestName)
    }
}

extension LogFormat {
    /// One JSON object a line; what is not known is left out.
    private func appendJSON(_ line: LogLine, to bytes: inout [UInt8]) {
        let context = line.context
        bytes += #"{"timestamp":""#.utf8
        line.time.appendTimestamp(withMilliseconds: true, to: &bytes)
        bytes += #"","pid":"#.utf8
        bytes.append(decimal: Int64(line.processID))
        bytes += #","tid":"#.utf8
        bytes.append(decimal: Int64(truncatingIfNeeded: line.threadID))
        bytes +=
            #","level":"\#(line.level.rawValue)","context":"\#(context.phase.rawValue)","message":""#.utf8
        bytes.append(line.message, escaping: .json, limit: LogLine.longestMessage)
        bytes.append(UInt8(ascii: "\""))
        let client = [
            ("id", context.clientID?.description), ("ip", context.clientHost),
            ("port", context.clientPort.map { "\($0)" }), ("user", context.user),
            ("database", context.database),
            ("external_id", context.externalID), ("server_host", context.serverHost),
        ]
        appendObject("client", client, to: &bytes)
        appendObject("server", [("id", context.serverID?.description)], to: &bytes)
        bytes += "}\n".utf8
    }

    private func appendObject(_ name: String, _ members: [(String, String?)], to bytes: inout [UInt8]) {
        let known = members.compactMap { member in member.1.map { (member.0, $0) } }
        guard !known.isEmpty else { return }
        bytes += #","\#(name)":{"#.utf8
        for (index, (key, value)) in known.enumerated() {
            bytes += "\(index == 0 ? "" : ",")\"\(key)\":".utf8
            // Ports are the only numbers, and they consist of digits only.
            let isNumber = key == "port"
            if !isNumber { bytes.append(UInt8(ascii: "\"")) }
            bytes.append(value, escaping: .json, limit: LogLine.longestName)
            if !isNumber { bytes.append(UInt8(ascii: "\"")) }
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
