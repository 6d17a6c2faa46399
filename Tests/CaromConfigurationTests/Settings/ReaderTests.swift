// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import Foundation
import Testing

@testable import CaromConfiguration

/// A setting that is accepted has an effect: the pooler reads every one of them.
@Suite struct ReaderTests {
    /// What is read through a function of the settings themselves.
    private static let accessors = [
        "storageDatabase": "serverDatabase(", "storageUser": "serverUser(",
        "storagePassword": "serverPassword",
        "unixSocketDirectory": "address(of:", "unixSocketMode": "address(of:", "host": "address(of:",
        "name": "storage(of:",
    ]
    /// What a setting is read from, by the names that the pooler gives to settings and what holds them.
    private static let receivers = "(settings|listener|storage|route)"

    private static let pooler: String = {
        let root = URL(filePath: #filePath).appending(path: "../../../../Sources").standardized
        var text = ""
        for module in ["CaromPooler", "CaromCommand"] {
            let files = FileManager.default.enumerator(
                at: root.appending(path: module), includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift" else { continue }
                text += (try? String(contentsOf: file, encoding: .utf8)) ?? ""
            }
        }
        return text
    }()

    private static func isRead(_ property: String) -> Bool {
        let accessor = accessors[property].map { String($0.prefix { $0 != "(" }) }
        let name = accessor ?? property
        guard let pattern = try? Regex("\\b\(receivers)\\??\\.\(name)\\b") else { return false }
        // Unicode sees no border of words in `settings.workers`.
        return pooler.firstMatch(of: pattern.wordBoundaryKind(.simple)) != nil
    }

    private static func properties(of value: Any) -> [String] {
        Mirror(reflecting: value).children.compactMap(\.label)
    }

    @Test func everySettingIsReadByThePooler() {
        let pattern = RoutePattern(database: .anything, user: .anything)
        let all: [Any] = [
            Settings(), ListenSettings(), StorageSettings(name: "x"), RouteSettings(pattern: pattern),
        ]
        #expect(!Self.pooler.isEmpty)
        for settings in all {
            let properties = Self.properties(of: settings)
            #expect(properties.count > 4)
            // What `tls` says is refused as long as TLS is not spoken; see the next test.
            for property in properties where property != "tls" {
                #expect(Self.isRead(property), "nothing reads \(type(of: settings)).\(property)")
            }
        }
    }

    @Test func aSettingWithoutAReaderIsFound() {
        #expect(!Self.isRead("hasNoReader"))
    }

    @Test(arguments: TLSMode.allCases.filter { $0 != .disable })
    func tlsIsRefusedAsLongAsNothingReadsIt(mode: TLSMode) throws {
        let text = """
            listen { host "a" tls "\(mode.rawValue)" tls_cert_file "c" tls_key_file "k" tls_ca_file "a" }
            storage "pg" { type "remote" host "h" tls "\(mode.rawValue)" }
            database default { user default { authentication "none" storage "pg" pool "session" } }
            """
        let file = try ConfigurationFile.parse(text: text)
        #expect(
            file.unsupported.count == 2 || ["listener.tls", "storage.tls"].allSatisfy(Self.pooler.contains))
    }
}
