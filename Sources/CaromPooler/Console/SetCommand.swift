// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol

/// `SET name = value`: another value for a directive of the top of the file, or for a key of `[pgbouncer]` where the pooler runs by an ini
/// file, until the file is read again.
struct SetCommand: ConsoleCommand {
    static let name = "SET"
    static let usage = "SET name = value"

    private let name: String
    private let value: ConsoleWord

    /// What PgBouncer calls it.
    private static let otherNames = ["max_client_conn": "client_max"]

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> SetCommand? {
        guard words[0].isKeyword("set") else { return nil }
        guard words.count == 4, words[2].isKeyword("=") || words[2].isKeyword("to") else {
            throw ConsoleError(
                .syntaxError, "expected SET name = value",
                hint: "SHOW CONFIG has the names; values with commas or spaces stand in quotes")
        }
        return SetCommand(name: words[1].text.lowercased(), value: words[3])
    }

    /// As the file would have it: switches and numbers without quotes, everything else with them.
    private var content: ConfigurationValue.Content {
        if value.isQuoted { return .string(value.text) }
        switch value.text.lowercased() {
        case "yes", "on": return .flag(true)
        case "no", "off": return .flag(false)
        case let text:
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            return digits.utf8.first.map { (48...57).contains($0) } == true
                ? .number(text) : .string(value.text)
        }
    }

    func run(_ context: ConsoleContext) -> ConsoleResult {
        do throws(SettingChange.Refusal) {
            return .wait(.set(try change(context.snapshot)))
        } catch {
            return .failed(Self.error(error, name))
        }
    }

    private func change(_ snapshot: Snapshot) throws(SettingChange.Refusal) -> LiveChange {
        if snapshot.ini != nil {
            if let change = try IniChange(name, to: value.text) { return .entry(change) }
            if !IniConfiguration.directives.contains(name) { throw .unknown }
        }
        let change = SettingChange(Self.otherNames[name] ?? name, to: content)
        _ = try change.applied(to: snapshot.settings)
        return .directive(change)
    }

    private static func error(_ refusal: SettingChange.Refusal, _ name: String) -> ConsoleError {
        switch refusal {
        case .unknown:
            ConsoleError(
                .undefinedObject, "unrecognized configuration parameter \"\(name)\"",
                hint: "SHOW CONFIG has those that there are")
        case .fixed:
            ConsoleError(.objectNotInPrerequisiteState, "parameter \"\(name)\" cannot be changed now")
        case .invalid(let reason):
            ConsoleError(.invalidParameterValue, "invalid value for parameter \"\(name)\": \(reason)")
        }
    }
}
