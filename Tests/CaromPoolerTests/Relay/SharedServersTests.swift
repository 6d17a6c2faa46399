// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// Clients that share servers must not notice: each gets the bytes that a server of its own would send.
@Suite struct SharedServersTests {
    @Test(arguments: 0..<400 as Range<UInt64>)
    func aClientGetsWhatAServerOfItsOwnWouldSend(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let program = RandomProgram(isDeallocating: seed % 2 == 0)
        let registry = StatementRegistry()
        let limit = [1, 2, 3, 200].randomElement(using: &random)!
        let startups = (0..<3).map { number in number == 0 ? [:] : ["x": "\(number)", "my.z": "9"] }
        let clients = (0..<3).map {
            PooledClient(UInt64($0 + 1), registry, limit: limit, startup: startups[$0])
        }
        var direct = startups.map { ModelPostgres(startup: $0) }
        let servers = (0..<4).map { _ in PooledServer() }
        for turn in 0..<40 {
            let number = Int.random(in: 0..<3, using: &random)
            let client = clients[number]
            let bytes = program.turn(&random)
            let expected = direct[number].receive(bytes)
            let before = client.received.count
            client.send(bytes, on: servers.filter { !$0.isLent }.randomElement(using: &random)!, &random)
            let received = Array(client.received[before...])
            // A statement that went to make room may have another number when an error names the old one.
            let isExact = limit == 200
            #expect(
                words(received, naming: isExact) == words(expected, naming: isExact),
                "seed \(seed), turn \(turn): \(described(bytes))")
            #expect(
                client.rig.end == nil && client.rig.broken == nil && client.rig.waiting == 0,
                "seed \(seed), turn \(turn)")
            if words(received, naming: isExact) != words(expected, naming: isExact) || client.rig.end != nil {
                return
            }
        }
    }

    /// Messages in words, with the names that errors quote or without.
    private func words(_ bytes: [UInt8], naming: Bool) -> String {
        let text = readable(bytes)
        if naming { return text }
        return text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .map { $0.offset.isMultiple(of: 2) ? String($0.element) : "?" }.joined()
    }

    private func described(_ bytes: [UInt8]) -> String {
        var model = ModelPostgres()
        _ = model.receive(bytes)
        return model.read.joined(separator: " | ")
    }

    // MARK: Cuts

    /// What two clients of two servers do in their turns.
    private struct Conversation {
        var turns: [(client: Int, server: Int, bytes: [UInt8])] = []
        let limit: Int
        let isPipelined: Bool

        /// - Parameter isPipelined: a client does not wait for the answer to one batch before it sends the next.
        init(seed: UInt64, isPipelined: Bool) {
            self.isPipelined = isPipelined
            var random = SeededRandom(seed: seed)
            let program = RandomProgram(isDeallocating: true)
            limit = [1, 2, 200].randomElement(using: &random)!
            for _ in 0..<4 {
                let client = Int.random(in: 0..<2, using: &random)
                let server = Int.random(in: 0..<2, using: &random)
                let bytes = program.turn(&random)
                for part in isPipelined ? [bytes] : Self.batches(bytes) {
                    turns.append((client, server, part))
                }
            }
        }

        /// Messages up to each Sync and Query.
        private static func batches(_ bytes: [UInt8]) -> [[UInt8]] {
            var batches: [[UInt8]] = []
            var start = 0
            var position = 0
            while case .frame(let header) = Framing.next(in: bytes.span.bytes, at: position) {
                position += header.length
                if header.tag == FrontendTag.sync.rawValue || header.tag == FrontendTag.query.rawValue {
                    batches.append(Array(bytes[start..<position]))
                    start = position
                }
            }
            return batches
        }

        /// What every client and every server was sent. In a pipeline the pooler may know more or less of what is under way when it
        /// sends something on, so there only what clients get is the same.
        func play(_ send: (PooledClient, [UInt8], PooledServer) -> Void) -> [[UInt8]] {
            let registry = StatementRegistry()
            let clients = [
                PooledClient(1, registry, limit: limit, startup: ["x": "9"]),
                PooledClient(2, registry, limit: limit),
            ]
            let servers = [PooledServer(), PooledServer()]
            for turn in turns {
                // A server that the other client keeps is not to be had.
                let free = servers.filter { !$0.isLent }
                if clients[turn.client].server == nil, free.isEmpty { continue }
                let server = servers[turn.server].isLent ? free.first ?? servers[0] : servers[turn.server]
                send(clients[turn.client], turn.bytes, server)
            }
            var streams = clients.map { $0.received }
            for client in clients {
                #expect(client.rig.broken == nil && client.rig.end == nil && client.rig.waiting == 0)
                if !isPipelined {
                    streams += [client.rig.toServer] + client.rig.preludes + client.rig.questions
                }
            }
            return streams
        }
    }

    @Test(arguments: [false, true])
    func anyCutOfStreamsWithNamesYieldsTheSameBytes(_ isPipelined: Bool) {
        for number in 0..<50 as Range<UInt64> {
            let conversation = Conversation(seed: number, isPipelined: isPipelined)
            let whole = conversation.play { client, bytes, server in client.send(bytes, on: server) }
            for round in 0..<200 as Range<UInt64> {
                var random = SeededRandom(seed: number << 32 | round)
                let cut = conversation.play { client, bytes, server in
                    client.sendInTurns(bytes, on: server, &random)
                }
                let isSame = cut == whole
                let place = cut.indices.first { $0 >= whole.count || cut[$0] != whole[$0] } ?? 0
                #expect(
                    isSame,
                    "conversation \(number), round \(round): \(text(cut[place])), and not \(text(whole[place]))"
                )
                if !isSame { return }
            }
        }
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
    }
}
