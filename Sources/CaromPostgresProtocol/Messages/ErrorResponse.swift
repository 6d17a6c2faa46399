// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The content of ErrorResponse (`E`) and NoticeResponse (`N`): fields by a letter each.
///
/// Reading never fails. A hostile or broken server may leave out, repeat, invent or cut off fields: the first
/// of each kind counts, unknown ones are kept, and what is missing reads as nil.
package struct ErrorFields: Equatable, Sendable, Error {
    /// How bad it is, for programs (`V`) and, translated, for people (`S`).
    package enum Severity: String, Sendable {
        case error = "ERROR"
        case fatal = "FATAL"
        case panic = "PANIC"
        case warning = "WARNING"
        case notice = "NOTICE"
        case debug = "DEBUG"
        case info = "INFO"
        case log = "LOG"
    }

    /// Letters of the fields (protocol chapter "Error and Notice Message Fields").
    package enum Field: UInt8, Sendable {
        /// `S`
        case localizedSeverity = 0x53
        /// `V`
        case severity = 0x56
        /// `C`
        case code = 0x43
        /// `M`
        case message = 0x4d
        /// `D`
        case detail = 0x44
        /// `H`
        case hint = 0x48
        /// `P`
        case position = 0x50
        /// `p`
        case internalPosition = 0x70
        /// `q`
        case internalQuery = 0x71
        /// `W`
        case context = 0x57
        /// `s`
        case schema = 0x73
        /// `t`
        case table = 0x74
        /// `c`
        case column = 0x63
        /// `d`
        case dataType = 0x64
        /// `n`
        case constraint = 0x6e
        /// `F`
        case file = 0x46
        /// `L`
        case line = 0x4c
        /// `R`
        case routine = 0x52
    }

    /// Letter and text, in the order they came.
    package struct Entry: Equatable, Sendable {
        package var field: UInt8
        package var text: [UInt8]
    }

    package private(set) var entries: [Entry]

    /// Something of our own to say.
    package init(
        severity: Severity, code: SQLState, message: String, detail: String? = nil, hint: String? = nil,
        routine: String? = nil
    ) {
        entries = []
        set(.localizedSeverity, severity.rawValue)
        set(.severity, severity.rawValue)
        entries.append(Entry(field: Field.code.rawValue, text: code.bytes))
        set(.message, message)
        if let detail { set(.detail, detail) }
        if let hint { set(.hint, hint) }
        if let routine { set(.routine, routine) }
    }

    /// Reads a body, whatever is in it.
    package init(body: RawSpan) {
        entries = []
        var reader = WireReader(body)
        while let letter = try? reader.readUInt8(), letter != 0 {
            guard let text = try? reader.readText() else {
                // Cut off: what is there may still tell something.
                let rest = reader.readRest()
                if !rest.isEmpty { entries.append(Entry(field: letter, text: body.array(rest))) }
                return
            }
            entries.append(Entry(field: letter, text: body.array(text)))
        }
    }

    private mutating func set(_ field: Field, _ text: String) {
        entries.append(Entry(field: field.rawValue, text: Array(text.utf8)))
    }

    /// The first field of this kind; text that is not UTF-8 is repaired.
    package func text(_ field: Field) -> String? {
        entries.first { $0.field == field.rawValue }.map { String(decoding: $0.text, as: UTF8.self) }
    }

    /// From `V`, or from `S` of servers before 9.6 that speak English. Unknown reads as nil.
    package var severity: Severity? {
        (text(.severity) ?? text(.localizedSeverity)).flatMap(Severity.init(rawValue:))
    }

    /// Nil if there is none or if it is none.
    package var code: SQLState? { text(.code).flatMap { SQLState($0) } }

    package var message: String? { text(.message) }
    package var detail: String? { text(.detail) }
    package var hint: String? { text(.hint) }

    /// The server closes the connection after it.
    package var isFatal: Bool {
        switch severity {
        case .fatal, .panic: true
        case .error, .warning, .notice, .debug, .info, .log, nil: false
        }
    }

    /// The same as the end of a session.
    ///
    /// - Parameter code: if there is none.
    package func fatal(_ code: SQLState) -> ErrorFields {
        ErrorFields(
            severity: .fatal, code: self.code ?? code, message: message ?? "no reason given", detail: detail,
            hint: hint)
    }

    /// It may be about a prepared statement, and name it: one that does not exist, or exists already, or takes other parameters.
    package var mayNameStatement: Bool {
        code == .invalidStatementName || code == .duplicatePreparedStatement || code == .protocolViolation
    }

    /// It says that a prepared statement was planned for rows of another shape than it would have now (`RevalidateCachedQuery`).
    package var isAboutStalePlan: Bool {
        code == .featureNotSupported && text(.routine) == "RevalidateCachedQuery"
    }

    /// It says that the text in a message cannot be converted from the client's encoding: the server has done nothing with the message.
    /// An error about a string in a text that was read has a place in it.
    package var isAboutUnreadText: Bool {
        (code == .characterNotInRepertoire || code == .untranslatableCharacter) && text(.position) == nil
    }

    /// What stands between the first two double quotes of the message.
    package var quotedName: [UInt8]? {
        guard let entry = entries.first(where: { $0.field == Field.message.rawValue }),
            let place = Self.quoted(entry.text)
        else { return nil }
        return Array(entry.text[place])
    }

    /// The same with another name between the first two double quotes of the message.
    package func quoting(_ name: [UInt8]) -> ErrorFields {
        var copy = self
        if let index = entries.firstIndex(where: { $0.field == Field.message.rawValue }),
            let place = Self.quoted(entries[index].text)
        {
            copy.entries[index].text.replaceSubrange(place, with: name)
        }
        return copy
    }

    /// The same with another number in a field that has one.
    package func moving(_ field: Field, _ move: (Int) -> Int) -> ErrorFields {
        var copy = self
        if let index = entries.firstIndex(where: { $0.field == field.rawValue }),
            let place = Int(String(decoding: entries[index].text, as: UTF8.self))
        {
            copy.entries[index].text = Array(String(move(place)).utf8)
        }
        return copy
    }

    private static func quoted(_ text: [UInt8]) -> Range<Int>? {
        let quote = UInt8(ascii: "\"")
        guard let first = text.firstIndex(of: quote),
            let last = text[(first + 1)...].firstIndex(of: quote)
        else { return nil }
        return (first + 1)..<last
    }

    /// Writes it as ErrorResponse, or as NoticeResponse.
    package func encode(asNotice: Bool = false, into bytes: inout [UInt8]) {
        let tag = asNotice ? BackendTag.noticeResponse : BackendTag.errorResponse
        bytes.appendMessage(tag.rawValue) { bytes in
            for entry in entries where entry.field != 0 {
                bytes.append(entry.field)
                bytes.appendText(entry.text)
            }
            bytes.append(0)
        }
    }
}

extension ErrorFields: CustomStringConvertible {
    package var description: String {
        let severity = text(.severity) ?? text(.localizedSeverity) ?? "ERROR"
        let code = code.map { " \($0)" } ?? ""
        return "\(severity)\(code): \(message ?? "the server gave no message")"
    }
}
