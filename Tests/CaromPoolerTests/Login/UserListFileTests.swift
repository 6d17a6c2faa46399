// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromTestSupport
import Foundation
import Testing

@testable import CaromPooler

/// The users of an `auth_file`, as it changes.
@Suite struct UserListFileTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.url.appending(path: "users").path }
    private let cryptography = OpenSSLCryptography()

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ text: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func file(_ method: AuthenticationMethod) throws -> UserListFile {
        try UserListFile(path: path, method: method, mockSecret: Array(repeating: 7, count: 32))
    }

    @Test func aUserIsCheckedAgainstItsOwnSecret() throws {
        try write("\"bob\" \"pencil\"\n\"ann\" \"pen\"")
        let file = try file(.clearText)
        for (user, secret) in [("bob", "pencil"), ("ann", "pen")] {
            #expect(file.clientSecret(of: user).secret == StoredSecret(secret))
            #expect(file.trouble(of: user) == nil)
        }
        #expect(file["eve"] == nil && file.trouble(of: "eve") == "user \"eve\" is not in \(path)")
    }

    @Test func aStrangerIsCheckedAgainstSomethingOfTheSameForm() throws {
        let verifier = SCRAMVerifier(
            password: Array("pencil".utf8), salt: [1, 2, 3], iterations: 5_000, using: cryptography)
        let text = String(decoding: verifier.encoded, as: UTF8.self)
        try write("\"hashed\" \"md500000000000000000000000000000000\"\n\"bob\" \"\(text)\"")
        let clear = try file(.clearText).clientSecret(of: "eve")
        #expect(clear.form == .md5)
        let scram = try file(.scramSHA256)
        for user in ["eve", "hashed"] {
            #expect(scram.clientSecret(of: user).verifier == nil)
            #expect(scram.clientSecret(of: user).mockIterations == 5_000)
        }
        #expect(scram.clientSecret(of: "bob").verifier == verifier)
        #expect(scram.trouble(of: "hashed")?.contains("of no use for scram-sha-256") == true)
        let md5 = try file(.md5)
        #expect(md5.clientSecret(of: "bob").form == .md5)
        #expect(md5.clientSecret(of: "hashed").form == .md5)
        #expect(md5.clientSecret(of: "bob").secret != md5.clientSecret(of: "hashed").secret)
    }

    @Test func nobodyWithAnEmptySecretLogsIn() throws {
        try write("\"bob\" \"\"")
        for method in [AuthenticationMethod.clearText, .md5, .scramSHA256] {
            #expect(try file(method).trouble(of: "bob") != nil)
        }
    }

    @Test func aChangeIsReadOnceAndABrokenFileKeepsTheOldUsers() throws {
        try write("\"bob\" \"pencil\"")
        let file = try file(.scramSHA256)
        let verifier = file.clientSecret(of: "bob").verifier
        #expect(try !file.refresh())
        try write("\"bob\" \"pencil\"\n\"ann\" \"pen\"")
        #expect(try file.refresh())
        #expect(file["ann"] != nil && file.clientSecret(of: "bob").verifier == verifier && verifier != nil)
        try write("\"bob\" \"pencil\"\n\"ann\" pen")
        #expect(
            throws: AccessFileError(description: "\(path):2: expected the secret in double quotes")
        ) { try file.refresh() }
        // It is told once.
        #expect(try !file.refresh())
        #expect(file["ann"] != nil)
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: AccessFileError.self) { try file.refresh() }
        #expect(file["ann"] != nil)
        try write("\"ann\" \"pen\"")
        #expect(try file.refresh())
        #expect(file["bob"] == nil)
    }
}
