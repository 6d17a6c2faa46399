// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Carom
package import CaromPostgresProtocol
import Dispatch
import Glibc
import Synchronization

/// A PostgreSQL server that follows a script instead of the protocol.
///
/// It uses plain sockets and none of the modules that are tested against it, but for the encoders of messages.
package enum ScriptedPostgres {
    /// The client has closed its connection, or the test is over. A script may let it pass through: it ends the session.
    package struct ClientLeft: Error {}

    /// A socket that a server needs could not be had.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs `body` while a server on 127.0.0.1 follows `script` for every connection it gets.
    ///
    /// - Throws: what `body` throws; otherwise what a script throws, but for ``ClientLeft``.
    package static func run<R: Sendable>(
        _ script: @escaping @Sendable (Session) async throws -> Void,
        _ body: (Backend) async throws -> R
    ) async throws -> R {
        let listener = try Listener()
        let serving = Task {
            try await withThrowingDiscardingTaskGroup { group in
                for await descriptor in listener.accepted {
                    group.addTask { try await serve(Session(descriptor), script) }
                }
                group.cancelAll()
            }
        }
        let result: Result<R, any Error>
        do {
            result = .success(try await body(Backend(address: .ip("127.0.0.1", port: listener.port))))
        } catch {
            result = .failure(error)
        }
        listener.stop()
        let served = await serving.result
        if case .success = result { try served.get() }
        return try result.get()
    }

    private static func serve(
        _ session: Session, _ script: @Sendable (Session) async throws -> Void
    ) async throws {
        defer { session.close() }
        try await withTaskCancellationHandler {
            do {
                try await script(session)
            } catch is ClientLeft {
                // What the script wanted to say has nobody to hear it.
            }
        } onCancel: {
            session.hangUp()
        }
    }
}

extension ScriptedPostgres {
    /// The server's side of one connection.
    package final class Session: Sendable {
        /// Nil once it is closed, so that its number is not used for another socket.
        private let descriptor: Mutex<Int32?>
        private let socket: Int32
        /// Where reads and writes block.
        private let queue = DispatchQueue(label: "scripted PostgreSQL")

        fileprivate init(_ descriptor: Int32) {
            self.descriptor = Mutex(descriptor)
            socket = descriptor
        }

        /// Reads the packet that begins the connection and returns its code: the protocol version or a request.
        @discardableResult
        package func startup() async throws -> UInt32 {
            let head = try await read(8)
            let words = [head[..<4], head[4...]].map { $0.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
            _ = try await read(Int(words[0]) - head.count)
            return words[1]
        }

        /// Reads a message and returns its type.
        @discardableResult
        package func receive() async throws -> UInt8 {
            let head = try await read(5)
            _ = try await read(Int(head[1...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }) - 4)
            return head[0]
        }

        /// Sends bytes, whatever they are.
        package func send(_ bytes: [UInt8]) async throws {
            try await blocking { [socket] in
                var sent = 0
                while sent < bytes.count {
                    let count = bytes.withUnsafeBytes {
                        Glibc.send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                    }
                    guard count > 0 else { throw ClientLeft() }
                    sent += count
                }
            }
        }

        /// Lets anybody in, as a server that trusts everybody.
        package func login(_ status: TransactionStatus = .idle) async throws {
            try await startup()
            var bytes: [UInt8] = []
            AuthenticationRequest.ok.encode(into: &bytes)
            BackendKeyData(processID: 1, key: [1, 2, 3, 4]).encode(into: &bytes)
            ReadyForQuery(status: status).encode(into: &bytes)
            try await send(bytes)
        }

        /// Says nothing until the client leaves.
        package func silence() async throws {
            while true { _ = try await read(1) }
        }

        private func read(_ count: Int) async throws -> [UInt8] {
            if count <= 0 { return [] }
            return try await blocking { [socket] in
                var bytes = [UInt8](repeating: 0, count: count)
                guard recv(socket, &bytes, count, Int32(MSG_WAITALL)) == count else {
                    throw ClientLeft()
                }
                return bytes
            }
        }

        private func blocking<R: Sendable>(_ work: @escaping @Sendable () throws -> R) async throws -> R {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Result(catching: work)) }
            }
        }

        /// Ends reads and writes that are under way, and those to come.
        fileprivate func hangUp() {
            descriptor.withLock { if let socket = $0 { _ = shutdown(socket, Int32(SHUT_RDWR)) } }
        }

        fileprivate func close() {
            descriptor.withLock { descriptor in
                if let socket = descriptor.take() { _ = Glibc.close(socket) }
            }
        }
    }
}

extension ScriptedPostgres {
    /// A listening socket on a port of the kernel's choice, and a thread that accepts.
    private final class Listener: Sendable {
        let port: UInt16
        let accepted: AsyncStream<Int32>
        private let socket: Int32

        init() throws {
            let listener = Glibc.socket(
                AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, length) == 0 && listen(listener, 64) == 0
                        && getsockname(listener, $0, &length) == 0
                }
            }
            guard listener >= 0, bound else { throw Failure(description: "no port to listen on") }
            socket = listener
            port = UInt16(bigEndian: address.sin_port)
            let (accepted, continuation) = AsyncStream.makeStream(of: Int32.self)
            self.accepted = accepted
            DispatchQueue(label: "scripted PostgreSQL listener").async {
                while case let descriptor = accept(listener, nil, nil), descriptor >= 0 {
                    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                    continuation.yield(descriptor)
                }
                Glibc.close(listener)
                continuation.finish()
            }
        }

        /// Ends the thread, which closes the socket.
        func stop() {
            _ = shutdown(socket, Int32(SHUT_RDWR))
        }
    }
}
