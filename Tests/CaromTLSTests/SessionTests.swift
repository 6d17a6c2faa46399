// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import CaromTestSupport
import Glibc
import Testing

@Suite struct SessionTests {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates.shared.get()
    }

    func server(_ change: (inout TLSOptions) -> Void = { _ in }) throws -> TLSContext {
        var options = TLSOptions(
            mode: .require, certificateFile: certificates.path("server.crt"),
            keyFile: certificates.path("server.key"))
        change(&options)
        return try TLSContext(.server, options)
    }

    func client(_ mode: TLSMode = .require, _ change: (inout TLSOptions) -> Void = { _ in }) throws
        -> TLSContext
    {
        var options = TLSOptions(
            mode: mode, authorityFile: mode.verifiesPeer ? certificates.path("ca.crt") : nil)
        change(&options)
        return try TLSContext(.client, options)
    }

    @Test(arguments: [TLSVersions.tls12, .tls13])
    func aHandshakeAgreesOnVersionNameAndProtocol(versions: TLSVersions) throws {
        let pair = try SessionPair(client { $0.versions = versions }, server())
        let result = pair.handshake()
        #expect(result.client == .done)
        #expect(result.server == .done)
        #expect(pair.client.version == (versions == .tls12 ? "TLSv1.2" : "TLSv1.3"))
        #expect(pair.client.cipher != nil)
        #expect(pair.client.cipher == pair.server.cipher)
        #expect(pair.server.requestedServerName == "db.example.com")
        #expect(pair.client.applicationProtocol == "postgresql")
        #expect(pair.server.applicationProtocol == "postgresql")
    }

    @Test(arguments: [
        ("db.example.com", true), ("DB.EXAMPLE.COM", true), ("a.pool.example.com", true), ("127.0.0.1", true),
        ("example.com", false), ("a.b.pool.example.com", false), ("db.example.com.evil.org", false),
        ("127.0.0.2", false), ("::1", false), ("server", false),
    ])
    func verifyFullAcceptsOnlyNamesOfTheCertificate(host: String, accepted: Bool) throws {
        let pair = try SessionPair(client(.verifyFull), server(), host: host)
        let result = pair.handshake()
        if accepted {
            #expect(result.client == .done)
            #expect(pair.client.hasVerifiedPeer)
        } else {
            #expect(result.client.error?.code == .verification)
            #expect(result.client.error?.message.contains(host) == true)
            #expect(result.server != .done || pair.server.read().outcome != .wantRead)
        }
    }

    @Test func verifyCARefusesAForeignAuthorityAndIgnoresTheName() throws {
        let foreign = try SessionPair(
            client(.verifyCA) { $0.authorityFile = certificates.path("other.crt") }, server())
        #expect(foreign.handshake().client.error?.code == .verification)
        let named = try SessionPair(client(.verifyCA), server(), host: "whatever")
        #expect(named.handshake().client == .done)
    }

    @Test func requireTakesAnyCertificate() throws {
        let pair = try SessionPair(client(), server(), host: "whatever")
        #expect(pair.handshake().client == .done)
        #expect(!pair.client.hasVerifiedPeer)
    }

    @Test func verifyFullWithoutANameIsAnError() throws {
        let context = try client(.verifyFull)
        let carrier = SocketCarrier(descriptor: 0)
        #expect(throws: TLSError.self) { try TLSSession(context, over: carrier, host: nil) }
    }

    @Test func aServerSeesTheCommonNameOfAClientItVerified() throws {
        let checking = try server {
            $0.mode = .verifyCA
            $0.authorityFile = certificates.path("ca.crt")
        }
        let pair = try SessionPair(
            client {
                $0.certificateFile = certificates.path("client.crt")
                $0.keyFile = certificates.path("client.key")
            }, checking)
        #expect(pair.handshake().server == .done)
        #expect(pair.server.peerCommonName == "alice")
        #expect(pair.server.hasVerifiedPeer)
        #expect(pair.client.peerCommonName == "server")

        let bare = try SessionPair(client(), checking)
        #expect(bare.handshake().server.error != nil)
    }

    @Test func aServerWithAnAuthorityButModeRequireLetsBareClientsIn() throws {
        let asking = try server { $0.authorityFile = certificates.path("ca.crt") }
        let pair = try SessionPair(client(), asking)
        #expect(pair.handshake().server == .done)
        #expect(pair.server.peerCommonName == nil)
        #expect(!pair.server.hasVerifiedPeer)
    }

    @Test func aForeignApplicationProtocolIsRefusedAndNoneIsFine() throws {
        let foreign = try SessionPair(client { $0.applicationProtocol = "http/1.1" }, server())
        #expect(foreign.handshake().server.error?.code == .handshake)
        let none = try SessionPair(client { $0.applicationProtocol = nil }, server())
        #expect(none.handshake().server == .done)
        #expect(none.server.applicationProtocol == nil)
    }

    @Test func versionsThatDoNotMeetEndTheHandshake() throws {
        let pair = try SessionPair(client { $0.versions = .tls12 }, server { $0.versions = .tls13 })
        let result = pair.handshake()
        #expect(result.server.error?.code == .handshake)
        #expect(result.server.error?.stack.isEmpty == false)
        #expect(result.client.error?.code == .handshake)
    }

    @Test(arguments: [TLSVersions.tls12, .tls13])
    func aSecondConnectionResumesTheSession(versions: TLSVersions) throws {
        let (clients, servers) = try (client(.verifyFull) { $0.versions = versions }, server())
        let first = try SessionPair(clients, servers)
        #expect(first.handshake().client == .done)
        #expect(!first.client.isResumed)
        // Tickets of TLS 1.3 come after the handshake, with the first read.
        #expect(first.client.read().outcome == .wantRead)
        let second = try SessionPair(clients, servers)
        #expect(second.handshake().client == .done)
        #expect(second.client.isResumed)
        #expect(second.server.isResumed)
        let elsewhere = try SessionPair(clients, servers, host: "b.pool.example.com")
        #expect(elsewhere.handshake().client == .done)
        #expect(!elsewhere.client.isResumed)
    }

    @Test func resumptionCanBeSwitchedOff() throws {
        let (clients, servers) = try (client(), server { $0.resumption = false })
        let first = try SessionPair(clients, servers)
        #expect(first.handshake().client == .done)
        #expect(first.client.read().outcome == .wantRead)
        let second = try SessionPair(clients, servers)
        #expect(second.handshake().client == .done)
        #expect(!second.client.isResumed)
    }

    @Test(arguments: [("server", 32), ("sha384", 48)])
    func bothSidesComputeTheSameChannelBinding(name: String, size: Int) throws {
        let pair = try SessionPair(
            client(),
            server {
                $0.certificateFile = certificates.path("\(name).crt")
                $0.keyFile = certificates.path("\(name).key")
            })
        #expect(pair.handshake().client == .done)
        #expect(pair.client.serverEndPoint?.count == size)
        #expect(pair.client.serverEndPoint == pair.server.serverEndPoint)
    }

    @Test func ed25519HasNoChannelBinding() throws {
        let pair = try SessionPair(
            client(),
            server {
                $0.certificateFile = certificates.path("ed25519.crt")
                $0.keyFile = certificates.path("ed25519.key")
            })
        #expect(pair.handshake().client == .done)
        #expect(pair.client.serverEndPoint == nil)
        #expect(pair.server.serverEndPoint == nil)
    }

    @Test(arguments: [TLSVersions.tls12, .tls13], ["client", "revoked"])
    func aCertificateThatWasTakenBackIsRefused(versions: TLSVersions, name: String) throws {
        let server = try server {
            ($0.mode, $0.versions) = (.verifyCA, versions)
            ($0.authorityFile, $0.revocationFile) = (certificates.path("ca.crt"), certificates.path("ca.crl"))
        }
        let client = try client {
            ($0.certificateFile, $0.keyFile) = (
                certificates.path("\(name).crt"), certificates.path("\(name).key")
            )
        }
        let result = try SessionPair(client, server).handshake()
        if name == "client" {
            #expect(result.server == .done)
        } else {
            #expect(result.server.error?.code == .verification)
            #expect(result.server.error?.message.contains("certificate revoked") == true)
        }
    }
}
