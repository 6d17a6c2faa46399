// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

@testable import CaromConfiguration

/// Ini files, by their names; `main.ini` is the first.
struct IniFiles {
    var files: [String: String]

    /// - Parameters:
    ///   - main: of which `[pgbouncer]` is left out, behind its users.
    ///   - users: of the `auth_file`, which is given in `main`.
    init(_ main: String, users: String = "\"joe\" \"secret\"\n", more: [String: String] = [:]) {
        files = more.merging(["main.ini": main, "users": users]) { $1 }
    }

    func load() throws(ConfigurationErrors) -> ConfigurationFile {
        let files = files
        let source = ConfigurationSource { path in
            files[path].map { .success(Array($0.utf8)) }
                ?? .failure(ConfigurationReadFailure(reason: "no such file"))
        }
        return try ConfigurationFile.parse(
            Array((files["main.ini"] ?? "").utf8), file: "main.ini", source: source)
    }

    var settings: Settings { get throws { try load().settings } }

    /// What is said about them, a diagnostic an element.
    var findings: [String] {
        do throws(ConfigurationErrors) {
            return try load().warnings.map(\.description)
        } catch {
            return error.diagnostics.map(\.description)
        }
    }
}

/// Has users that may come, and nobody that may use the console.
let iniAccess = "auth_file = users\nadmin_users = boss\n"
