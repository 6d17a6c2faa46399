// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// A PostgreSQL session small enough to be right: prepared statements, transactions, settings, channels.
///
/// It answers as the real one does, byte by byte, as far as it goes. It knows these statements: `SELECT` anything, `SHOW x`, `SET x = 'v'`,
/// `RESET`, `BEGIN`, `COMMIT`, `ROLLBACK`, `LISTEN x`, `UNLISTEN *`, `DEALLOCATE`, `PREPARE x AS`, `DISCARD ALL`, what the pooler asks, `BAD`,
/// which no parser takes, and `FAIL`, which fails when it runs.
struct ModelPostgres {
    /// What a transaction may take back.
    private struct Values: Equatable {
        var settings: [String: String] = [:]
        var channels: Set<String> = []
    }

    /// What the session began with.
    private let startup: [String: String]
    private var values = Values()
    /// What they were before the transaction, explicit or not.
    private var before: Values?
    private(set) var status = TransactionStatus.idle
    private(set) var statements: [[UInt8]: String] = [:]
    private(set) var unnamed: String?
    private var portal: String?
    private var isSkipping = false
    private var input: [UInt8] = []
    /// The messages that it has read, for people: `P carom_1 SELECT 1`.
    private(set) var read: [String] = []

    init(startup: [String: String] = [:]) { self.startup = startup }

    // MARK: Messages

    /// Reads bytes, whole messages or not.
    ///
    /// - Returns: the answers.
    mutating func receive(_ bytes: [UInt8]) -> [UInt8] {
        input += bytes
        var out: [UInt8] = []
        while case .frame(let header) = Framing.next(in: input.span.bytes, at: 0),
            input.count >= header.length
        {
            let body = Array(input[Framing.headerSize..<header.length])
            input.removeFirst(header.length)
            answer(header.tag, body, &out)
        }
        return out
    }

    private mutating func answer(_ byte: UInt8, _ body: [UInt8], _ out: inout [UInt8]) {
        guard let tag = FrontendTag(rawValue: byte) else { preconditionFailure("type \(byte)") }
        note(tag, body)
        if isSkipping, tag != .sync { return }
        do throws(ErrorFields) {
            switch tag {
            case .sync:
                isSkipping = false
                ready(&out)
            case .flush: break
            case .query: query(text(body), &out)
            case .parse: try parse(body, &out)
            case .bind: try bind(body, &out)
            case .describe: try describe(body, &out)
            case .execute:
                guard let portal else { throw Self.error("34000", "portal \"\" does not exist") }
                try run(portal, describing: false, &out)
            case .close:
                close(body)
                out.appendEmptyMessage(BackendTag.closeComplete.rawValue)
            default: preconditionFailure("\(tag) is none of the model's")
            }
        } catch {
            abort()
            isSkipping = true
            error.encode(into: &out)
        }
    }

    private mutating func note(_ tag: FrontendTag, _ body: [UInt8]) {
        var words = [String(UnicodeScalar(tag.rawValue))]
        for part in body.split(separator: 0).prefix(tag == .parse || tag == .bind ? 2 : 1) {
            words.append(String(decoding: part, as: UTF8.self))
        }
        read.append(words.joined(separator: " "))
    }

    private func text(_ body: [UInt8]) -> String { String(decoding: body.dropLast(), as: UTF8.self) }

    private mutating func ready(_ out: inout [UInt8]) {
        if status == .idle { before = nil }
        if status != .inTransaction { portal = nil }
        ReadyForQuery(status: status).encode(into: &out)
    }

    private mutating func abort() {
        if let before { values = before }
        portal = nil
        if status == .idle { before = nil } else { status = .failed }
    }

    private static func error(_ code: String, _ message: String) -> ErrorFields {
        ErrorFields(severity: .error, code: SQLState(code)!, message: message)
    }

    // MARK: Simple protocol

    private mutating func query(_ text: String, _ out: inout [UInt8]) {
        unnamed = nil
        portal = nil
        do throws(ErrorFields) {
            let parts = text.split(separator: ";").map { Self.trimmed($0) }
            if parts.isEmpty { out.appendEmptyMessage(BackendTag.emptyQueryResponse.rawValue) }
            for part in parts { if part == "BAD" { try check(part) } }
            for part in parts {
                try check(part)
                try run(part, describing: true, &out)
            }
        } catch {
            abort()
            error.encode(into: &out)
        }
        ready(&out)
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var text = Substring(text)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    // MARK: Extended protocol

    private func check(_ text: String) throws(ErrorFields) {
        if text == "BAD" { throw Self.error("42601", "syntax error at or near \"BAD\"") }
        if status == .failed, text != "COMMIT", text != "ROLLBACK" {
            throw Self.error(
                "25P02", "current transaction is aborted, commands ignored until end of transaction block")
        }
    }

    private mutating func parse(_ body: [UInt8], _ out: inout [UInt8]) throws(ErrorFields) {
        guard let message = try? Parse(body: body.span.bytes) else { preconditionFailure("a broken Parse") }
        let text = String(decoding: message.query, as: UTF8.self)
        if message.name.isEmpty { unnamed = nil }
        try check(text)
        if message.name.isEmpty {
            unnamed = text
        } else {
            if statements[message.name] != nil {
                throw Self.error(
                    "42P05", "prepared statement \"\(Self.string(message.name))\" already exists")
            }
            statements[message.name] = text
        }
        out.appendEmptyMessage(BackendTag.parseComplete.rawValue)
    }

    private static func string(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }

    private func find(_ name: [UInt8]) throws(ErrorFields) -> String {
        if name.isEmpty {
            guard let unnamed else { throw Self.error("26000", "unnamed prepared statement does not exist") }
            return unnamed
        }
        guard let text = statements[name] else {
            throw Self.error("26000", "prepared statement \"\(Self.string(name))\" does not exist")
        }
        return text
    }

    private mutating func bind(_ body: [UInt8], _ out: inout [UInt8]) throws(ErrorFields) {
        guard let message = try? Bind(body: body.span.bytes) else { preconditionFailure("a broken Bind") }
        let text = try find(message.statement)
        try check(text)
        if !message.parameters.isEmpty {
            let name = Self.string(message.statement)
            throw Self.error(
                "08P01",
                "bind message supplies \(message.parameters.count) parameters, but prepared statement \"\(name)\" requires 0"
            )
        }
        portal = text
        out.appendEmptyMessage(BackendTag.bindComplete.rawValue)
    }

    private mutating func describe(_ body: [UInt8], _ out: inout [UInt8]) throws(ErrorFields) {
        guard let object = try? NamedObject(body: body.span.bytes), object.target == .statement else {
            preconditionFailure("only statements are described")
        }
        let text = try find(object.name)
        if Self.hasRows(text) { try check(text) }
        out.appendMessage(BackendTag.parameterDescription.rawValue) { $0.append16(0) }
        if Self.hasRows(text) {
            out.appendMessage(BackendTag.rowDescription.rawValue) { $0.append16(0) }
        } else {
            out.appendEmptyMessage(BackendTag.noData.rawValue)
        }
    }

    private mutating func close(_ body: [UInt8]) {
        guard let object = try? NamedObject(body: body.span.bytes), object.target == .statement else {
            return
        }
        if object.name.isEmpty { unnamed = nil } else { statements[object.name] = nil }
    }

    private static func hasRows(_ text: String) -> Bool { text.hasPrefix("SELECT") || text.hasPrefix("SHOW") }

    // MARK: Statements

    private mutating func run(_ text: String, describing: Bool, _ out: inout [UInt8]) throws(ErrorFields) {
        try check(text)
        let isFirst = before == nil
        if isFirst { before = values }
        let (rows, tag) = try perform(text, isFirst: isFirst)
        if describing, Self.hasRows(text) {
            out.appendMessage(BackendTag.rowDescription.rawValue) { $0.append16(0) }
        }
        for row in rows {
            out.appendMessage(BackendTag.dataRow.rawValue) { bytes in
                bytes.append16(UInt16(row.count))
                for value in row { bytes.appendValue(Array(value.utf8)) }
            }
        }
        out.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText(tag) }
    }

    private mutating func perform(_ text: String, isFirst: Bool) throws(ErrorFields) -> (
        rows: [[String]], tag: String
    ) {
        let words = text.split(separator: " ").map { $0.filter { $0 != "\"" } }
        switch words[0] {
        case "SELECT" where text.hasPrefix("SELECT 's'"): return (inquiry(text), "SELECT 1")
        case "SELECT": return ([[text]], "SELECT 1")
        case "SHOW": return ([[values.settings[words[1]] ?? startup[words[1]] ?? "default"]], "SHOW")
        case "FAIL": throw Self.error("22012", "division by zero")
        case "BEGIN":
            if status == .idle { status = .inTransaction }
            return ([], "BEGIN")
        case "COMMIT", "ROLLBACK":
            let isCommit = words[0] == "COMMIT" && status != .failed
            if !isCommit, let before { values = before }
            before = nil
            status = .idle
            return ([], isCommit ? "COMMIT" : "ROLLBACK")
        case "SET":
            if text.hasSuffix("TO DEFAULT") {
                values.settings[words[1]] = nil
                return ([], "SET")
            }
            let sides = text.dropFirst(4).split(separator: "=").map {
                Self.trimmed($0).filter { $0 != "\"" && $0 != "'" }
            }
            if sides.count == 2 { values.settings[sides[0]] = sides[1] }
            return ([], "SET")
        case "RESET":
            if words[1] == "ALL" { values.settings = [:] } else { values.settings[words[1]] = nil }
            return ([], "RESET")
        case "LISTEN": values.channels.insert(words[1])
        case "UNLISTEN": values.channels = []
        case "PREPARE": statements[Array(words[1].utf8)] = words[3...].joined(separator: " ")
        case "DEALLOCATE":
            let name = text.dropFirst("DEALLOCATE ".count).filter { $0 != "\"" }
            if name == "ALL" {
                statements = [:]
                return ([], "DEALLOCATE ALL")
            }
            if statements.removeValue(forKey: Array(name.utf8)) == nil {
                throw Self.error("26000", "prepared statement \"\(name)\" does not exist")
            }
        case "DISCARD" where words[1] == "ALL":
            if status != .idle || !isFirst {
                throw Self.error("25001", "DISCARD ALL cannot run inside a transaction block")
            }
            values = Values()
            statements = [:]
            return ([], "DISCARD ALL")
        case "CALL", "CLOSE", "DISCARD": break
        default: preconditionFailure("'\(text)' is none of the model's")
        }
        return ([], words[0])
    }

    /// What a SessionInquiry is told.
    private func inquiry(_ text: String) -> [[String]] {
        var rows: [[String]] = [["s", "role", Self.hexadecimal("none")]]
        for (name, value) in values.settings.sorted(by: { $0.key < $1.key }) {
            // Custom settings are listed by those who know their names.
            let isCustom = name.contains(".")
            if isCustom, !text.contains("'c','\(name)'") { continue }
            rows.append([isCustom ? "c" : "s", name, Self.hexadecimal(value)])
        }
        if !values.channels.isEmpty { rows.append(["k", "channels", ""]) }
        return rows
    }

    private static func hexadecimal(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
