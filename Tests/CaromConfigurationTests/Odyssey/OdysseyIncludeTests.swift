// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import CaromConfiguration

/// Configurations of several files.
@Suite struct OdysseyIncludeTests {
    /// Parses `main.conf` of a set of files.
    private static func parse(_ files: [String: String]) -> Result<ConfigurationFile, ConfigurationErrors> {
        let source = ConfigurationSource { path in
            files[path].map { .success(Array($0.utf8)) }
                ?? .failure(ConfigurationReadFailure(reason: "no such file"))
        }
        return Result { () throws(ConfigurationErrors) in
            try ConfigurationFile.parse(
                Array(files["etc/main.conf"]!.utf8), file: "etc/main.conf", source: source)
        }
    }

    private static func errors(_ files: [String: String]) -> [String] {
        switch parse(files) {
        case .success(let file): file.warnings.map(\.description)
        case .failure(let errors): errors.diagnostics.map(\.description)
        }
    }

    @Test func anIncludedFileIsFoundBesideTheIncludingOne() throws {
        let file = try Self.parse([
            "etc/main.conf": "include \"more/routes.conf\" log_debug yes include \"/abs.conf\"",
            "etc/more/routes.conf": smallest + " include \"../tail.conf\"",
            "etc/more/../tail.conf": "log_query yes",
            "/abs.conf": "workers 3",
        ]).get()
        #expect(file.settings.logDebug && file.settings.logQuery && file.settings.workers == .count(3))
        #expect(file.settings.routes.count == 1)
    }

    @Test func aMistakeIsReportedWhereItIs() {
        #expect(
            Self.errors([
                "etc/main.conf": smallest + "\nlog_debug yes\ninclude \"a\" workers x",
                "etc/a": "\nlog_debug no }\n nodelay",
            ]) == [
                "etc/main.conf:7:21: error: workers: expected a whole number from 1 to 1024 or \"auto\", found 'x'",
                "etc/a:2:1: error: duplicate directive 'log_debug'; it was given at etc/main.conf:6:1",
                "etc/a:2:14: error: '}' closes nothing",
                "etc/a:3:9: error: nodelay: expected yes or no, found the end of the file",
            ])
    }

    @Test func aCircleIsFound() {
        #expect(
            Self.errors([
                "etc/main.conf": smallest + "\ninclude \"a\"", "etc/a": "include \"./x/../main.conf\"",
            ]) == [
                "etc/a:1:1: error: include: \"etc/./x/../main.conf\" includes itself: etc/main.conf → etc/a → etc/main.conf"
            ])
    }

    @Test func sixteenIncludesDeepIsTheLimit() {
        func chain(_ length: Int) -> [String: String] {
            var files = ["etc/main.conf": smallest + "\ninclude \"1\""]
            for number in 1...length {
                files["etc/\(number)"] = number == length ? "" : "include \"\(number + 1)\""
            }
            return files
        }
        #expect(Self.errors(chain(16)) == [])
        #expect(
            Self.errors(chain(17)) == ["etc/16:1:1: error: include: \"etc/17\" is more than 16 includes deep"]
        )
    }

    @Test func aMissingFileIsReportedAtItsInclude() {
        #expect(
            Self.errors(["etc/main.conf": smallest + "\n  include \"b\""])
                == ["etc/main.conf:6:3: error: include: \"etc/b\" cannot be read: no such file"])
    }

    @Test(arguments: [
        ("/nowhere/carom.conf", "No such file or directory"), ("/tmp", "Is a directory"),
        ("/dev/zero", "larger than 8388608 bytes"),
    ])
    func whatCannotBeLoadedSaysWhy(path: String, reason: String) {
        let position = ConfigurationPosition(file: path, line: 1, column: 1)
        let expected = ConfigurationErrors([
            ConfigurationDiagnostic(.error, at: position, "the file cannot be read: \(reason)")
        ])
        #expect(throws: expected) { try ConfigurationFile.load(path: path) }
    }
}
