// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Something that a server said beside its answer: a warning, a notice, a `RAISE INFO`.
public struct PostgresNotice: Hashable, Sendable, CustomStringConvertible {
    /// `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`; untranslated.
    public let severity: String
    /// What it says.
    public let message: String
    /// The five-character code (PostgreSQL manual, appendix A).
    public let sqlState: String?
    /// More about it.
    public let detail: String?
    /// What to do about it.
    public let hint: String?

    init(_ fields: ErrorFields) {
        severity = fields.text(.severity) ?? fields.text(.localizedSeverity) ?? "NOTICE"
        message = fields.message ?? ""
        sqlState = fields.code?.description
        detail = fields.detail
        hint = fields.hint
    }

    /// Severity and message.
    public var description: String { "\(severity): \(message)" }
}
