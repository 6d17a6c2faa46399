// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import Glibc
import Synchronization

/// Another pooler, to which cancels go that are meant for its clients; at most `pool_size` of them at once.
final class Peer: Sendable {
    let settings: PeerSettings
    private let state = Mutex(State())

    /// What is under way to it.
    struct Load: Equatable, Sendable {
        /// For a place.
        var waiting = 0
        var connecting = 0
        var sent = 0
    }

    private struct State {
        var load = Load()
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    init(_ settings: PeerSettings) { self.settings = settings }

    var load: Load { state.withLock { $0.load } }

    /// Passes a request on, and waits until the peer has dealt with it, which it shows by closing the connection.
    ///
    /// - Throws: why it has not got there.
    func pass(_ request: CancelRequest, on reactor: Reactor, until deadline: Deadline)
        async throws(SystemError)
    {
        await takePlace()
        var isConnected = false
        defer { leavePlace(isConnected: isConnected) }
        let transport = try await connect(on: reactor, until: deadline)
        defer { transport.close() }
        isConnected = true
        state.withLock {
            $0.load.connecting -= 1
            $0.load.sent += 1
        }
        var bytes: [UInt8] = []
        request.encode(into: &bytes)
        let conversation = Conversation(transport, ServerSession(), deadline: deadline)
        defer { conversation.end() }
        do throws(PostgresError) {
            try await conversation.send(bytes)
            _ = try await conversation.receiveByte()
        } catch {
            // The end of the stream is the answer.
            if error.code != .connection {
                throw SystemError(code: ETIMEDOUT, operation: "pass a cancel on to peer \(settings.name)")
            }
        }
    }

    /// The first of its addresses that answers.
    private func connect(on reactor: Reactor, until deadline: Deadline) async throws(SystemError) -> Transport
    {
        var failure = SystemError(code: ENOENT, operation: "connect to peer \(settings.name)")
        for address in try await addresses() {
            do throws(SystemError) {
                return try await Transport.connect(to: address, on: reactor, deadline: deadline)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Looked up each time: cancels are rare, and peers move.
    private func addresses() async throws(SystemError) -> [SocketAddress] {
        let (host, port) = (settings.host ?? "", UInt16(clamping: settings.port))
        if host.hasPrefix("/") { return [SocketAddress(.unix(path: "\(host)/.s.PGSQL.\(port)"))] }
        let thread = try ComputingThread(name: "peer")
        let result = await withUnsafeContinuation {
            (done: UnsafeContinuation<Result<[SocketAddress], SystemError>, Never>) in
            thread.submit {
                do throws(SystemError) {
                    done.resume(returning: .success(try SocketAddress.lookUp(host, port: port)))
                } catch {
                    done.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private func takePlace() async {
        await withUnsafeContinuation { (done: UnsafeContinuation<Void, Never>) in
            let hasPlace = state.withLock { state in
                if state.load.connecting + state.load.sent < settings.poolSize {
                    state.load.connecting += 1
                    return true
                }
                state.load.waiting += 1
                state.waiters.append(done)
                return false
            }
            if hasPlace { done.resume() }
        }
    }

    /// The place goes to whoever has waited for longest.
    private func leavePlace(isConnected: Bool) {
        let next: UnsafeContinuation<Void, Never>? = state.withLock { state in
            if isConnected { state.load.sent -= 1 } else { state.load.connecting -= 1 }
            guard !state.waiters.isEmpty else { return nil }
            state.load.waiting -= 1
            state.load.connecting += 1
            return state.waiters.removeFirst()
        }
        next?.resume()
    }
}
