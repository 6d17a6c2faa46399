// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc

/// Why a running pooler cannot be taken over from.
package struct TakeoverError: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// The beginning of a takeover, before there is a thread: the running pooler was asked, has agreed, and has sent copies of its listening
/// sockets. It goes on undisturbed until this process is ready.
package struct Takeover: Sendable {
    /// A listening socket of the old process.
    struct Socket: Sendable {
        let address: SocketAddress
        let ownsFile: Bool
        let descriptor: PassedDescriptor
    }

    let connection: PassedDescriptor
    private(set) var machine = ArrivalMachine()
    /// The process that is taken over from.
    package private(set) var process: Int32 = 0
    private(set) var sockets: [Socket] = []

    /// A process that is there answers at once.
    private static let patience = 10

    /// Asks the pooler that listens on this path (`upgrade_socket`), and waits for its answer.
    ///
    /// - Throws: ``TakeoverError`` if nobody listens there, or it does not agree; nothing has changed then.
    package init(path: String) throws(TakeoverError) {
        connection = try Self.connect(to: path)
        var frames = HandOverFrames()
        var beside: [PassedDescriptor] = []
        do throws(HandOverError) {
            try send(machine.greeting)
            while machine.phase != .ready {
                if let message = try frames.next() {
                    for action in machine.received(message) { try perform(action, &beside) }
                } else {
                    try read(&frames, &beside)
                }
            }
        } catch {
            throw TakeoverError("the pooler that listens on \(path) does not hand over: \(error)")
        }
    }

    private mutating func perform(_ action: ArrivalMachine.Action, _ beside: inout [PassedDescriptor])
        throws(HandOverError)
    {
        switch action {
        case .send(let message): try send(message)
        case .keep(let address, let ownsFile):
            if beside.isEmpty { throw .noDescriptor }
            sockets.append(Socket(address: address, ownsFile: ownsFile, descriptor: beside.removeFirst()))
        case .prepare(let process): self.process = process
        case .fail(let reason), .close(let reason): throw .refused(reason)
        case .serve, .adopt, .hold, .run, .drop: throw .unexpected("a client before the beginning")
        }
    }

    // MARK: The connection, which is waited for

    private static func connect(to path: String) throws(TakeoverError) -> PassedDescriptor {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let connection = PassedDescriptor(descriptor)
        var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        do throws(SystemError) {
            try SocketAddress(.unix(path: path)).withSockaddr { (pointer, length) throws(SystemError) in
                if descriptor < 0 || Glibc.connect(descriptor, pointer, length) < 0 {
                    throw SystemError(code: errno, operation: "connect to \(path)")
                }
            }
        } catch {
            throw TakeoverError("no pooler can be taken over from: \(error)")
        }
        return connection
    }

    private func send(_ message: HandOverMessage) throws(HandOverError) {
        let frame = message.frame
        let count = frame.withUnsafeBytes {
            Glibc.send(connection.present, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count != frame.count { throw .refused("it has gone") }
    }

    private func read(_ frames: inout HandOverFrames, _ beside: inout [PassedDescriptor])
        throws(HandOverError)
    {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        do throws(SystemError) {
            let result = bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(SystemError) in
                    try DescriptorPassing.receive(into: buffer, from: connection.present)
                }
            }
            guard let (count, descriptor) = try result.get() else {
                throw SystemError(code: ETIMEDOUT, operation: "wait for its answer")
            }
            if count == 0 { throw SystemError(code: ECONNRESET, operation: "read its answer") }
            if let descriptor { beside.append(descriptor) }
            bytes[..<count].withUnsafeBytes { frames.append($0) }
        } catch {
            throw .refused("\(error)")
        }
    }
}
