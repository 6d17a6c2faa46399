// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import DequeModule
import Glibc

/// The connection between two processes of which one takes over from the other: messages with the sockets beside them, and cancels for
/// clients that are with the other process. On its reactor's thread, but where it says otherwise.
final class HandOverLink: EventHandler, @unchecked Sendable {
    // Unchecked: everything below is the reactor's thread's own.
    private let reactor: Reactor
    private var descriptor: Int32
    private var registration: Registration
    private var frames = HandOverFrames()
    private var arrived = Deque<PassedDescriptor>()
    private var output = Deque<(bytes: [UInt8], start: Int, beside: PassedDescriptor?)>()
    private var written: [() -> Void] = []
    private var cancels: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    private var lastCancel: UInt64 = 0
    private let events: Events

    /// Whom the link tells.
    struct Events {
        /// A message, and the socket that came with it.
        var received: (HandOverMessage, PassedDescriptor?) -> Void
        /// The connection has ended, or what came is no message.
        var ended: (_ reason: String, _ isGone: Bool) -> Void
        /// Deals with a cancel of the other process's and calls back, on this thread.
        var cancel: (CancelRequest, @escaping @Sendable () -> Void) -> Void
    }

    private static let bufferSize = 65_536

    /// Takes the descriptor; call ``begin()`` then.
    ///
    /// - Throws: `SystemError` when epoll does not take it.
    init(_ descriptor: Int32, on reactor: Reactor, _ events: Events) throws(SystemError) {
        self.reactor = reactor
        self.events = events
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        do throws(SystemError) {
            registration = try reactor.register(descriptor, handler: nil)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Reads what has come already, and what comes.
    func begin() {
        guard descriptor >= 0 else { return }
        registration.setHandler(self, token: 0)
        registration.isReadable = true
        reactor.again(self)
    }

    /// Nothing waits to be written.
    var hasWritten: Bool { output.isEmpty }

    /// Calls `body` when what was sent until now is with the other process, whatever becomes of this one.
    func afterWriting(_ body: @escaping () -> Void) {
        if output.isEmpty { return body() }
        written.append(body)
    }

    // MARK: Messages

    func send(_ message: HandOverMessage, _ beside: PassedDescriptor? = nil) {
        guard descriptor >= 0 else { return }
        output.append((message.frame, 0, beside))
        if output.count == 1 { flush() }
    }

    private func flush() {
        while descriptor >= 0, let (bytes, start, beside) = output.first {
            let taken: Int?
            do throws(SystemError) {
                taken = try Self.write(bytes[start...], beside, to: descriptor)
            } catch {
                // What the other process said last is still to be read; that it has gone is noticed there.
                output.removeAll()
                return callWritten()
            }
            guard let taken else {
                registration.isWritable = false
                if !registration.watchesWrites { reactor.watchWrites(true, of: descriptor, registration) }
                return
            }
            if start + taken == bytes.count {
                output.removeFirst()
            } else {
                output[0] = (bytes, start + taken, nil)
            }
        }
        if descriptor >= 0, registration.watchesWrites {
            reactor.watchWrites(false, of: descriptor, registration)
        }
        callWritten()
    }

    private func callWritten() {
        let bodies = written
        written = []
        for body in bodies { body() }
    }

    private static func write(_ bytes: ArraySlice<UInt8>, _ beside: PassedDescriptor?, to socket: Int32)
        throws(SystemError) -> Int?
    {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(SystemError) in try DescriptorPassing.send(bytes, beside, to: socket) }
        }
        return try result.get()
    }

    func handle(_ token: Int) {
        if descriptor >= 0, registration.isWritable { flush() }
        while descriptor >= 0, registration.isReadable { read() }
    }

    private func read() {
        withUnsafeTemporaryAllocation(byteCount: Self.bufferSize, alignment: 16) { buffer in
            do throws(SystemError) {
                guard let (count, beside) = try DescriptorPassing.receive(into: buffer, from: descriptor)
                else {
                    registration.isReadable = false
                    return
                }
                if count == 0 { return end("the other process has gone", isGone: true) }
                if let beside { arrived.append(beside) }
                frames.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } catch {
                return end("\(error)", isGone: true)
            }
            do throws(HandOverError) {
                while descriptor >= 0, let message = try frames.next() { try take(message) }
            } catch {
                end("\(error)", isGone: false)
            }
        }
    }

    private func take(_ message: HandOverMessage) throws(HandOverError) {
        switch message {
        case .cancel(let number, let request):
            let reactor = reactor
            events.cancel(request) { reactor.call { self.send(.cancelled(number)) } }
        case .cancelled(let number): cancels.removeValue(forKey: number)?.resume()
        default:
            let beside = message.carriesDescriptor ? arrived.popFirst() : nil
            if message.carriesDescriptor, beside == nil { throw .noDescriptor }
            events.received(message, beside)
        }
    }

    // MARK: Cancels

    /// Has the other process deal with a cancel, and waits until it has. From any thread.
    func pass(_ request: CancelRequest) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            reactor.call {
                guard self.descriptor >= 0 else { return continuation.resume() }
                self.lastCancel += 1
                self.cancels[self.lastCancel] = continuation
                self.send(.cancel(self.lastCancel, request))
            }
        }
    }

    // MARK: The end

    private func end(_ reason: String, isGone: Bool) {
        // The receiver may say a last word before it closes.
        registration.isReadable = false
        if isGone { output.removeAll() }
        events.ended(reason, isGone)
    }

    /// Closes the connection; what waits to be written is written as far as it is taken at once.
    func close() {
        guard descriptor >= 0 else { return }
        flush()
        reactor.deregister(registration, of: descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        output.removeAll()
        callWritten()
        arrived.removeAll()
        for continuation in cancels.values { continuation.resume() }
        cancels = [:]
    }
}
