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
        "storagePassword": "serverPassword", "authQuery": "authQuerySettings",
        "authQueryDatabase": "authQuerySettings", "authQueryUser": "authQuerySettings",
        "hbaRoleQuery": "roleQuerySettings", "hbaRoleQueryDatabase": "roleQuerySettings",
        "hbaRoleQueryUser": "roleQuerySettings", "ldapEndpoint": "ldapService",
        "ldapEndpoints": "ldapService",
        "unixSocketDirectory": "address(of:", "unixSocketMode": "address(of:", "host": "address(of:",
        "name": "storage(of:", "origin": "title", "backends": "resolvers(of:",
    ]
    /// What a setting is read from, by the names that the pooler gives to settings and what holds them.
    private static let receivers = "(settings|listener|storage|route|resolver)"

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
            ResolverSettings(name: "x"),
        ]
        #expect(!Self.pooler.isEmpty)
        for settings in all {
            let properties = Self.properties(of: settings)
            #expect(properties.count > 4)
            for property in properties {
                #expect(Self.isRead(property), "nothing reads \(type(of: settings)).\(property)")
            }
        }
    }

    @Test func aSettingWithoutAReaderIsFound() {
        #expect(!Self.isRead("hasNoReader"))
    }

    /// What is read of `tls` is the engine's options, so each of its settings must be in them.
    @Test func everySettingOfTLSReachesTheEngine() {
        let changes: [(inout TLSSettings) -> Void] = [
            { $0.mode = .require }, { $0.caFile = "a" }, { $0.crlFile = "r" }, { $0.keyFile = "k" },
            { $0.certificateFile = "c" }, { $0.versions = .tls13 }, { $0.ciphers = "x" },
            { $0.cipherSuites = "y" }, { $0.groups = "z" },
        ]
        #expect(Self.properties(of: TLSSettings()).count == changes.count)
        for (number, change) in changes.enumerated() {
            var settings = TLSSettings()
            change(&settings)
            for role in [TLSContext.Role.client, .server] {
                let options = settings.options(for: role)
                #expect(options != TLSSettings().options(for: role), "change \(number)")
            }
        }
    }

    @Test func serversAreCheckedByTheHostsAuthoritiesIfNoneAreNamed() {
        for mode in TLSMode.allCases {
            var settings = TLSSettings()
            settings.mode = mode
            let expected = mode.verifiesPeer ? TLSOptions.systemTrust : nil
            #expect(settings.options(for: .client).authorityFile == expected)
            #expect(settings.options(for: .server).authorityFile == nil)
            settings.caFile = "mine"
            #expect(settings.options(for: .client).authorityFile == "mine")
        }
    }
}
