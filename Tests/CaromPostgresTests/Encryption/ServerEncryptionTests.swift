// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTLS
import Testing

@testable import CaromPostgres

/// What a server's certificate must be for.
@Suite struct ServerEncryptionTests {
    private static let address = BackendAddress.ip("192.0.2.1", port: 5432)

    private static func name(_ given: String?, at address: BackendAddress = address, domain: String? = nil)
        throws -> String
    {
        let context = try TLSContext(.client, TLSOptions(mode: .require))
        return ServerEncryption(context, domain: domain).name(of: Backend(name: given, address: address))
    }

    @Test func aNameCountsAndNotTheAddressThatItLedTo() throws {
        #expect(try Self.name("db.example") == "db.example")
    }

    @Test func whoeverHasNoNameIsKnownByTheAddress() throws {
        #expect(try Self.name(nil) == "192.0.2.1")
        #expect(try Self.name(nil, at: .ip("2001:db8::1", port: 1)) == "2001:db8::1")
        #expect(try Self.name(nil, domain: "db.example") == "192.0.2.1")
    }

    /// Whoever forges SRV records may name servers of his own, for whose names he has certificates.
    @Test(arguments: [
        ("a.db.example", "a.db.example"), ("A.B.DB.Example", "A.B.DB.Example"), ("db.example", "db.example"),
        ("evil.test", "db.example"), ("evildb.example", "db.example"), ("db.example.evil.test", "db.example"),
    ])
    func aTargetOfAnotherDomainIsNotBelieved(_ target: String, _ expected: String) throws {
        #expect(try Self.name(target, domain: "db.example") == expected)
    }
}
