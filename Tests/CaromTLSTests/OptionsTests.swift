// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import CaromTestSupport
import Testing

@Suite struct OptionsTests {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates.shared.get()
    }

    @Test(arguments: [
        ("disable", TLSMode.disable), ("allow", .allow), ("Prefer", .prefer), ("require", .require),
        ("verify_ca", .verifyCA), ("verify-ca", .verifyCA), ("verify_full", .verifyFull),
        ("verify-full", .verifyFull),
    ])
    func modesAreReadInBothSpellings(word: String, mode: TLSMode) throws {
        #expect(try TLSMode(parsing: word) == mode)
    }

    @Test func anUnknownModeNamesTheAllowedOnes() {
        let error = #expect(throws: TLSError.self) { try TLSMode(parsing: "always") }
        #expect(error?.message.contains("\"always\"") == true)
        #expect(error?.message.contains("verify_full") == true)
    }

    @Test(
        arguments: [
            ("tlsv1.2,tlsv1.3", TLSVersions.secure), ("tlsv1.3", .tls13), ("TLSv1.2 tlsv1.3", .secure),
            ("secure", .secure), ("all", .all), ("tlsv1:tlsv1.2", TLSVersions([.tls10, .tls12])),
        ] as [(String, TLSVersions)])
    func versionListsAreRead(list: String, versions: TLSVersions) throws {
        #expect(try TLSVersions(parsing: list) == versions)
    }

    @Test(arguments: ["", " , ", "sslv3", "tlsv1.2,tlsv9"]) func badVersionListsAreErrors(list: String) {
        #expect(throws: TLSError.self) { try TLSVersions(parsing: list) }
    }

    @Test func aMissingFileIsNamed() {
        let error = #expect(throws: TLSError.self) {
            try TLSContext(
                .server,
                TLSOptions(mode: .require, certificateFile: "/nowhere/cert.pem", keyFile: "/nowhere/key.pem"))
        }
        #expect(error?.code == .file)
        #expect(error?.message.contains("/nowhere/cert.pem") == true)
        #expect(error?.description.contains("No such file") == true)
    }

    @Test(arguments: [
        ("server.crt", "client.key"), ("server.crt", "encrypted.key"), ("server.key", "server.key"),
    ])
    func filesThatDoNotFitAreNamed(certificate: String, key: String) {
        let error = #expect(throws: TLSError.self) {
            try TLSContext(
                .server,
                TLSOptions(
                    mode: .require, certificateFile: certificates.path(certificate),
                    keyFile: certificates.path(key)))
        }
        #expect(error?.code == .file)
        #expect(error?.message.contains(certificates.path(certificate)) == true)
    }

    @Test(arguments: [
        TLSOptions(mode: .verifyFull), TLSOptions(mode: .verifyCA, authorityFile: "/nowhere/ca.pem"),
        TLSOptions(mode: .require, certificateFile: "only.crt"),
        TLSOptions(mode: .require, keyFile: "only.key"),
        TLSOptions(mode: .require, ciphers: "NO-SUCH-CIPHER"),
        TLSOptions(mode: .require, cipherSuites: "NOTHING"),
        TLSOptions(mode: .require, groups: "nowhere"), TLSOptions(mode: .require, versions: []),
        TLSOptions(mode: .require, applicationProtocol: String(repeating: "x", count: 256)),
    ])
    func badClientOptionsAreTypedErrors(options: TLSOptions) {
        let error = #expect(throws: TLSError.self) { try TLSContext(.client, options) }
        #expect(error?.code == .configuration || error?.code == .file)
    }

    @Test func aServerWithoutACertificateIsAnError() {
        let error = #expect(throws: TLSError.self) { try TLSContext(.server, TLSOptions(mode: .require)) }
        #expect(error?.code == .configuration)
    }

    private func server(_ change: (inout TLSOptions) -> Void) throws -> TLSContext {
        var options = TLSOptions(
            mode: .verifyCA, certificateFile: certificates.path("server.crt"),
            keyFile: certificates.path("server.key"), authorityFile: certificates.path("ca.crt"))
        change(&options)
        return try TLSContext(.server, options)
    }

    @Test func anErrorSaysWhichOptionItIsAbout() {
        let changes: [(TLSOptions.Option, (inout TLSOptions) -> Void)] = [
            (.certificateFile, { $0.certificateFile = "/nowhere" }), (.keyFile, { $0.keyFile = "/nowhere" }),
            (.authorityFile, { $0.authorityFile = "/nowhere" }),
            (.revocationFile, { $0.revocationFile = "/nowhere" }),
            (.revocationFile, { ($0.mode, $0.authorityFile, $0.revocationFile) = (.require, nil, "/x") }),
            (.versions, { $0.versions = [] }), (.ciphers, { $0.ciphers = "none" }),
            (.cipherSuites, { $0.cipherSuites = "none" }), (.groups, { $0.groups = "none" }),
        ]
        for (option, change) in changes {
            let error = #expect(throws: TLSError.self) { try server(change) }
            #expect(error?.option == option)
        }
    }

    @Test func aFileOfRevokedCertificatesMustHoldSome() {
        for file in ["ca.crt", "server.key"] {
            let error = #expect(throws: TLSError.self) {
                try server { $0.revocationFile = certificates.path(file) }
            }
            #expect(error?.option == .revocationFile)
        }
    }

    @Test func aCertificateThatIsNoLongerGoodIsFoundOut() throws {
        #expect(try server { _ in }.certificateTrouble == nil)
        let expired = try server { $0.certificateFile = certificates.path("expired.crt") }
        #expect(expired.certificateTrouble == "the certificate has expired at 2020-02-01 00:00:00 UTC")
        #expect(try TLSContext(.client, TLSOptions(mode: .require)).certificateTrouble == nil)
    }

    @Test func theSystemsTrustStoreCanBeAskedFor() throws {
        _ = try TLSContext(.client, TLSOptions(mode: .verifyFull, authorityFile: TLSOptions.systemTrust))
    }
}
