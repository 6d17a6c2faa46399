// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Testing

@testable import Carom
@testable import CaromPooler
@testable import CaromTCP

/// Rows about single connections, and the reasons of those who wait.
@Suite struct ConsoleSocketTests {
    private static func server(_ state: String, encryption: String?, waiting: (Int, Int)?) -> ConsoleSocket {
        var socket = ConsoleSocket(side: .server, state: state)
        socket.facts = TransportFacts(
            descriptor: 7, local: SocketAddress(SocketAddress.Kind.ip("10.0.0.9", port: 40_000)),
            encryption: encryption,
            peerProcess: nil)
        socket.link = ("c1", 9)
        socket.waitingBytes = waiting
        return socket
    }

    @Test func aRowHasAValueForEachColumn() {
        let socket = Self.server("idle", encryption: nil, waiting: nil)
        #expect(socket.row.count == ConsoleSocket.columns.count)
        #expect(socket.socketRow.count == ConsoleSocket.socketColumns.count)
        #expect(ShowFDs.rows(ConsoleConnections([], [])) == [])
    }

    @Test func statesOfSocketsNameTheirSide() {
        #expect(Self.server("new", encryption: nil, waiting: nil).socketRow[4] == "sv_login")
        #expect(Self.server("active", encryption: nil, waiting: nil).socketRow[4] == "sv_active")
        #expect(ConsoleSocket(side: .client, state: "login").socketRow[4] == "cl_login")
    }

    @Test func whatIsNotKnownIsNullAndWhatIsInTheOpenIsEmpty() {
        let names = ConsoleSocket.columns.map(\.name)
        func value(_ name: String, _ socket: ConsoleSocket) -> String? {
            names.firstIndex(of: name).flatMap { socket.row[$0] }
        }
        let open = Self.server("idle", encryption: nil, waiting: nil)
        #expect(value("tls", open) == "" && value("local_addr", open) == "10.0.0.9")
        #expect(value("local_port", open) == "40000" && value("link", open) == "c1")
        #expect(value("remote_pid", open) == nil && value("id", open) == nil)
        #expect(value("tls", Self.server("idle", encryption: "TLSv1.3/X", waiting: nil)) == "TLSv1.3/X")
        #expect(value("tls", ConsoleSocket(side: .client, state: "idle")) == nil)
        #expect(Self.server("idle", encryption: nil, waiting: (3, 4)).socketRow.suffix(2) == ["3", "4"])
    }

    @Test func whyAClientWaits() {
        func reason(
            _ change: (inout PoolStats) -> Void, isBeingServed: Bool = false, _ obstacles: [QuotaLimit] = []
        ) -> String {
            var backend = Sample.backend(Sample.first)
            (backend.connecting, backend.claimed, backend.idle, backend.lastError) = (0, 2, 0, nil)
            var stats = Sample.pool("shop.app", [backend])
            (stats.slots, stats.maxSlots) = (2, 2)
            change(&stats)
            let report = WaiterReport(
                id: WaiterID(index: 1, generation: 1), waited: .zero, requirement: [:],
                isBeingServed: isBeingServed)
            return ConsoleWaiter.reason(report, stats, obstacles)
        }
        #expect(reason { _ in } == "all 2 servers are in use")
        #expect(reason { $0.state = .suspended } == "the pool is paused")
        #expect(reason({ _ in }, isBeingServed: true) == "a server is being prepared for it")
        let limit = QuotaLimit(QuotaGroup("user", "ann"), 5)
        #expect(reason({ $0.maxSlots = 4 }, [limit]) == "all 5 that user \"ann\" may have are in use")
        #expect(reason({ _ in }, [limit]) == "all 2 servers are in use")
        #expect(reason { $0.backends = [] } == "no backend is known")
        #expect(
            reason {
                $0.slots = 3
                $0.maxSlots = 4
                $0.backends[0].connecting = 1
            } == "1 servers are being connected to")
        #expect(
            reason {
                $0.maxSlots = 4
                $0.backends[0].claimed = 0
                $0.backends[0].lastError = "refused"
            } == "no server can be connected to: refused")
    }
}
