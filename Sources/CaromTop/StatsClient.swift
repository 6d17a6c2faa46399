// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
public import CaromReactor
import CaromTCP
public import FoundationEssentials

/// Reads a statistics stream: ours, or any other that speaks qtop's JSON over a WebSocket.
public struct StatsClient: ~Copyable, Sendable {
    /// Where the stream comes from.
    public let url: StatsURL
    private let connection: TCPConnection
    private var messages = WebSocketMessages()

    /// The longest connect and the longest wait for the server's handshake.
    private static let patience = Duration.seconds(10)

    /// Connects and shakes hands, ten seconds each, with the first address of the host that answers.
    ///
    /// The host's name is looked up by the system, which blocks the thread for so long.
    ///
    /// - Parameters:
    ///   - url: where the stream is.
    ///   - reactor: where the connection will live; it must have been started.
    /// - Throws: ``StatsClientError``, with the failure of the last address that was tried.
    public static func open(_ url: StatsURL, on reactor: Reactor) async throws(StatsClientError)
        -> StatsClient
    {
        let connection = try await connect(to: url, on: reactor)
        var client = StatsClient(url: url, connection: connection)
        do throws(StatsClientError) {
            try await client.shakeHands()
        } catch {
            await connection.close()
            throw error
        }
        return client
    }

    private init(url: StatsURL, connection: TCPConnection) {
        self.url = url
        self.connection = connection
    }

    private static func connect(to url: StatsURL, on reactor: Reactor) async throws(StatsClientError)
        -> TCPConnection
    {
        do throws(SystemError) {
            var failure: SystemError?
            for address in try SocketAddress.lookUp(url.host, port: url.port) {
                do throws(SystemError) {
                    let backend = Backend(address: .ip(address.host, port: address.port))
                    return try await TCPConnection.connect(to: backend, on: reactor, timeout: patience)
                } catch {
                    failure = error
                }
            }
            throw failure ?? SystemError(code: 2, operation: "address of \(url.host)")
        } catch {
            throw StatsClientError("\(error)")
        }
    }

    private mutating func shakeHands() async throws(StatsClientError) {
        let handshake = WebSocketHandshake(url)
        try await send(handshake.request)
        var answer: [UInt8] = []
        while true {
            answer += try await receive(within: Self.patience)
            if let length = try handshake.accepted(answer) {
                messages.append(answer[length...])
                return
            }
        }
    }

    /// The next message's JSON; nil once the server said goodbye. Pings are answered on the way.
    ///
    /// - Parameter timeout: the longest silence; nil waits for ever.
    /// - Throws: ``StatsClientError`` when the connection breaks, stays silent or carries what is no stream, and
    ///   when the task is cancelled. There is nothing more to be read then.
    public mutating func next(timeout: Duration? = nil) async throws(StatsClientError) -> Data? {
        while true {
            switch try messages.next() {
            case .data(let bytes): return Data(bytes)
            case .ping(let payload):
                try await send(
                    WebSocketMessages.frame(opcode: 0xA, payload: payload, mask: .random(in: 0 ... .max)))
            case .close: return nil
            case nil: messages.append(try await receive(within: timeout))
            }
        }
    }

    /// Says goodbye and closes the connection.
    public consuming func close() async {
        // Whether the server still hears it changes nothing.
        try? await send(
            WebSocketMessages.frame(opcode: 0x8, payload: [0x03, 0xE8], mask: .random(in: 0 ... .max)))
        await connection.close()
    }

    private func send(_ bytes: [UInt8]) async throws(StatsClientError) {
        do throws(SystemError) {
            try await connection.write(bytes, timeout: Self.patience)
        } catch {
            throw StatsClientError("\(error)")
        }
    }

    private func receive(within timeout: Duration?) async throws(StatsClientError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try await connection.read(upTo: 65_536, timeout: timeout)
        } catch {
            throw StatsClientError("\(error)")
        }
        if bytes.isEmpty { throw StatsClientError("\(url) has closed the connection") }
        return bytes
    }
}
