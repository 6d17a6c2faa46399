// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension StartupMessage {
    /// Reads what follows the version word.
    init(version: ProtocolVersion, body: RawSpan) throws(StartupError) {
        var user: String?
        var database: String?
        self.init(version: version, user: "")
        var reader = WireReader(body)
        do throws(WireError) {
            while true {
                guard reader.remaining > 0 else { throw .missingTerminator }
                let name = try reader.readText()
                if name.isEmpty { break }
                let value = try reader.readText()
                let field = Field(name: body.repairedText(name), value: value)
                try accept(field, of: body, &user, &database)
            }
            try reader.finish()
        } catch .missingTerminator, .trailingBytes {
            throw .missingTerminator
        } catch .invalidText {
            throw .invalidText(parameter: Self.firstInvalid(body))
        } catch {
            throw .malformed(error)
        }
        guard let user, !user.isEmpty else { throw .missingUser }
        self.user = user
        self.database = database.flatMap { $0.isEmpty ? nil : $0 } ?? user
        try checkLength("user", self.user)
        try checkLength("database", self.database)
        if let wish = replicationWish {
            guard let replication = Self.replication(wish) else { throw .invalidReplication(wish) }
            self.replication = replication
        }
        parameters.removeAll { $0.name == "replication" }
    }

    private struct Field {
        let name: String
        let value: Range<Int>
    }

    private mutating func accept(
        _ field: Field, of body: RawSpan, _ user: inout String?, _ database: inout String?
    ) throws(WireError) {
        if field.name == "application_name" {
            // PostgreSQL takes any bytes here and cleans them; so do we.
            parameters.append(StartupParameter(field.name, body.repairedText(field.value)))
            return
        }
        guard let value = body.text(field.value) else { throw .invalidText }
        switch field.name {
        case "user": user = value
        case "database": database = value
        case "options": options = value
        case let name where name.hasPrefix("_pq_."):
            protocolExtensions.append(StartupParameter(name, value))
        default: parameters.append(StartupParameter(field.name, value))
        }
    }

    private var replicationWish: String? { parameters.last { $0.name == "replication" }?.value }

    private func checkLength(_ parameter: String, _ name: String) throws(StartupError) {
        let length = name.utf8.count
        guard length <= Self.longestName else { throw .nameTooLong(parameter: parameter, length: length) }
    }

    /// The name of the first value that is not text, for the error.
    private static func firstInvalid(_ body: RawSpan) -> String {
        var reader = WireReader(body)
        while let name = try? reader.readText(), !name.isEmpty, let value = try? reader.readText() {
            if body.text(value) == nil { return body.repairedText(name) }
        }
        return "?"
    }

    /// `database`, or a boolean the way PostgreSQL reads it: any unique beginning of a word.
    private static func replication(_ value: String) -> Replication? {
        if value == "database" { return .logical }
        guard let isOn = ParameterValue.bool(value) else { return nil }
        return isOn ? .physical : Replication.none
    }
}
