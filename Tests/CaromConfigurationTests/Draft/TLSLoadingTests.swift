// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTestSupport
import Foundation
import Testing

@testable import CaromConfiguration

/// Certificates and keys are tried when a configuration is read, and what is wrong with them is said with its place.
@Suite struct TLSLoadingTests {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates.shared.get()
    }

    /// What is found in a file with these directives in its listener, or in its storage.
    private func findings(listen: String = "", storage: String = "", user: String = "none") throws -> [String]
    {
        let text = """
            listen { host "a" \(listen)
            }
            storage "pg" { type "remote" host "h" \(storage)
            }
            database default { user default { authentication "\(user)" storage "pg" pool "session" } }
            """
        let directory = try TemporaryDirectory()
        let file = directory.url.appending(path: "carom.conf")
        let placed = text.replacing(/@([a-z0-9.]+)/) { certificates.path(String($0.output.1)) }
        try placed.write(to: file, atomically: true, encoding: .utf8)
        let found: [ConfigurationDiagnostic]
        do throws(ConfigurationErrors) {
            found = try ConfigurationFile.load(path: file.path).warnings
        } catch {
            found = error.diagnostics
        }
        return found.map {
            "\($0)".replacing(file.path, with: "f").replacing(certificates.folder.path + "/", with: "@")
        }
    }

    private static let own = "\ntls \"require\"\ntls_cert_file \"@server.crt\"\ntls_key_file \"@server.key\""

    @Test func goodFilesAreNoFinding() throws {
        let all = "\ntls_ca_file \"@ca.crt\"\ntls_crl_file \"@ca.crl\""
        #expect(try findings(listen: Self.own + all, storage: Self.own + all) == [])
    }

    @Test func anExpiredCertificateIsAWarning() throws {
        let old = Self.own.replacing("server.crt", with: "expired.crt")
        let warning =
            "warning: tls_cert_file: \"@expired.crt\": the certificate has expired at 2020-02-01 00:00:00 UTC"
        #expect(try findings(listen: old) == ["f:3:1: \(warning)"])
    }

    @Test(arguments: [
        (
            "server.crt", "missing.crt",
            "f:3:1: error: tls_cert_file: cannot use the certificate file @missing.crt"
        ),
        (
            "server.crt", "server.key",
            "f:3:1: error: tls_cert_file: cannot use the certificate file @server.key"
        ),
        ("server.key", "missing.key", "f:4:1: error: tls_key_file: cannot use the key file @missing.key"),
        ("server.key", "client.key", "f:4:1: error: tls_key_file: cannot use the key file @client.key"),
        ("server.key", "encrypted.key", "f:4:1: error: tls_key_file: cannot use the key file @encrypted.key"),
    ])
    func aFileThatCannotBeUsedIsNamedWithItsLine(_ good: String, _ bad: String, _ expected: String) throws {
        let found = try findings(listen: Self.own.replacing(good, with: bad))
        #expect(found.count == 1 && found[0].hasPrefix(expected), "\(found)")
    }

    @Test func whatAStorageNamesIsTriedToo() throws {
        let found = try findings(storage: Self.own.replacing("server.key", with: "client.key"))
        let expected = "f:6:1: error: tls_key_file: cannot use the key file @client.key"
        #expect(found.count == 1 && found[0].hasPrefix(expected), "\(found)")
        // It needs no certificate of its own.
        #expect(try findings(storage: "tls \"verify_full\"") == [])
    }

    @Test(arguments: [
        ("tls_ca_file \"@missing.crt\"", "f:5:1: error: tls_ca_file: cannot use the CA file @missing.crt"),
        ("tls_crl_file \"@ca.crl\"", "f:5:1: error: tls_crl_file: the CRL file @ca.crl needs a CA file"),
        ("tls_ciphers \"NONE\"", "f:5:1: error: tls_ciphers: no usable cipher in the list \"NONE\""),
        ("tls_cipher_suites \"NONE\"", "f:5:1: error: tls_cipher_suites: no usable TLS 1.3 cipher suite"),
        ("tls_groups \"NONE\"", "f:5:1: error: tls_groups: unknown key exchange group"),
    ])
    func everyOtherDirectiveHasItsPlaceToo(_ directive: String, _ expected: String) throws {
        let found = try findings(listen: "\(Self.own)\n\(directive)")
        #expect(found.count == 1 && found[0].hasPrefix(expected), "\(found)")
    }

    @Test func whatIsSwitchedOffIsNotOpened() throws {
        #expect(try findings(listen: "tls_cert_file \"/nowhere\" tls_key_file \"/nowhere\"") == [])
    }

    @Test func aRouteForCertificatesNeedsAListenerThatAsksForThem() throws {
        let expected = "error: authentication \"cert\" needs a listener with tls and tls_ca_file"
        for listen in ["", Self.own, "\ntls_ca_file \"@ca.crt\""] {
            let found = try findings(listen: listen, user: "cert")
            #expect(found.count == 1 && found[0].hasSuffix(expected), "\(found)")
        }
        #expect(try findings(listen: Self.own + "\ntls_ca_file \"@ca.crt\"", user: "cert") == [])
    }
}
