// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// Keys that say which of several poolers has made them.
@Suite struct PeerIDTests {
    @Test(arguments: [1, 2, 255, 256, 0x1234, 16383])
    func aKeyTellsWhoseItIs(_ number: Int) throws {
        let peer = try #require(PeerID(number))
        var random = BufferedRandom()
        for version in [ProtocolVersion(3, 0), ProtocolVersion(3, 2)] {
            let key = CancelKey(
                version: version, of: peer, number: peer.mark(CancelKey.number(using: &random)),
                using: &random)
            let data = key.data
            #expect(PeerID(of: data.processID) == peer && data.processID < 1 << 31)
            // As PgBouncer writes it: the bytes 1 and 2, and three hops.
            let bytes = [UInt8](withUnsafeBytes(of: data.processID.bigEndian) { Array($0) })
            #expect(Int(bytes[1]) | Int(bytes[2]) << 8 == number && data.key[3] & 3 == 3)
            #expect(peer.made(data.cancelRequest) && key.matches(data.cancelRequest))
        }
    }

    @Test func noneIsNone() {
        #expect(PeerID(0) == nil && PeerID(16384) == nil && PeerID(of: 0x7f00_00ff) == nil)
    }

    @Test func aRequestGoesThreeHopsAndIsStillKnown() throws {
        let peer = try #require(PeerID(7))
        var random = BufferedRandom()
        let key = CancelKey(
            version: ProtocolVersion(3, 0), of: peer, number: peer.mark(5), using: &random)
        var request = key.data.cancelRequest
        for _ in 0..<3 {
            request = try #require(PeerID.hop(request))
            #expect(!key.matches(request) && key.matches(peer.unhopped(request)))
        }
        #expect(PeerID.hop(request) == nil)
        #expect(PeerID.hop(CancelRequest(processID: 1, key: [3, 3, 3])) == nil, "a key that is too short")
    }

    @Test func peersAreAskedForKeysOfOthersOnly() throws {
        let peers = Peers()
        let own = try #require(PeerID(1))
        let other = try #require(PeerID(2))
        let third = try #require(PeerID(3))
        func maker(_ id: PeerID) -> String? {
            peers.maker(of: CancelRequest(processID: id.mark(9), key: [0, 0, 0, 3]))?.settings.name
        }
        var settings = Settings()
        settings.peers = ["1", "2"].map { name in
            var peer = PeerSettings(name: name)
            peer.host = "127.0.0.1"
            return peer
        }
        peers.use(settings)
        #expect(maker(other) == nil, "without a number of its own a pooler asks nobody")
        settings.peerID = 1
        peers.use(settings)
        #expect(maker(other) == "2" && maker(own) == nil && maker(third) == nil)
        let before = peers.all
        settings.peers[0].port = 7000
        peers.use(settings)
        #expect(peers.all[0] !== before[0] && peers.all[1] === before[1], "what has not changed is kept")
    }
}
