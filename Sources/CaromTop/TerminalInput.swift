// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Something that happened at the terminal.
@nonexhaustive
public enum TerminalEvent: Sendable, Hashable {
    /// A key was pressed.
    case key(Key)
    /// The window has another size.
    case resized
    /// SIGINT, SIGTERM or SIGHUP came, or the terminal is gone: time to restore it and leave.
    case ended
}

/// Keys and signals of the terminal as one stream, read by a thread of its own because a terminal may block.
///
/// One at a time: it takes over SIGWINCH, SIGINT, SIGTERM and SIGHUP while it runs.
public final class TerminalInput: Sendable {
    /// What happened, in order. Ends when the input is closed.
    public let events: AsyncStream<TerminalEvent>
    private let continuation: AsyncStream<TerminalEvent>.Continuation
    private let reading: Int32
    private let writing: Int32
    private let thread: pthread_t

    private static let numbers = [SIGWINCH, SIGINT, SIGTERM, SIGHUP]
    /// Where the signal handler writes the number of the signal; -1 while nobody reads.
    private static let signals = Atomic<Int32>(-1)

    /// Starts to read; nil if the system refuses a pipe or a thread, or another input is open.
    public init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        guard
            Self.signals.compareExchange(expected: -1, desired: ends[1], ordering: .sequentiallyConsistent)
                .exchanged
        else {
            for end in ends { Glibc.close(end) }
            return nil
        }
        (reading, writing) = (ends[0], ends[1])
        let (events, continuation) = AsyncStream.makeStream(
            of: TerminalEvent.self, bufferingPolicy: .bufferingNewest(256))
        self.events = events
        self.continuation = continuation
        for number in Self.numbers { signal(number, Self.handle) }
        let loop = Unmanaged.passRetained(ReadLoop(pipe: ends[0], continuation: continuation))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<ReadLoop>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, loop.toOpaque())
        self.thread = thread
        if code != 0 {
            loop.release()
            release()
            return nil
        }
    }

    /// Stops reading and gives the signals their default meaning again.
    public func close() {
        var stop: UInt8 = 0
        write(writing, &stop, 1)
        pthread_join(thread, nil)
        release()
    }

    private func release() {
        for number in Self.numbers { signal(number, SIG_DFL) }
        Self.signals.store(-1, ordering: .sequentiallyConsistent)
        Glibc.close(reading)
        Glibc.close(writing)
        continuation.finish()
    }

    /// Only what is safe in a signal handler: an atomic load and a write.
    private static let handle: @convention(c) (Int32) -> Void = { number in
        let saved = errno
        let pipe = signals.load(ordering: .relaxed)
        var byte = UInt8(truncatingIfNeeded: number)
        if pipe >= 0 { write(pipe, &byte, 1) }
        errno = saved
    }
}

/// The thread's work: waits for keys and for the pipe.
private final class ReadLoop {
    private let pipe: Int32
    private let continuation: AsyncStream<TerminalEvent>.Continuation
    private var parser = KeyParser()

    /// How long an escape byte may stand alone before it is the key.
    private static let escapePause: Int32 = 50

    init(pipe: Int32, continuation: AsyncStream<TerminalEvent>.Continuation) {
        self.pipe = pipe
        self.continuation = continuation
    }

    func run() {
        var keyboard = STDIN_FILENO
        var pause: Int32 = -1
        while true {
            var sources = [
                pollfd(fd: pipe, events: Int16(POLLIN), revents: 0),
                pollfd(fd: keyboard, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&sources, 2, pause)
            if count < 0, errno != EINTR { return }
            if count == 0 { send(parser.pause()) }
            pause = -1
            if sources[0].revents != 0, !readSignals() { return }
            guard count > 0, sources[1].revents != 0 else { continue }
            if let bytes = read(keyboard), !bytes.isEmpty {
                send(parser.parse(bytes))
                pause = Self.escapePause
            } else {
                // The terminal is gone; signals are still heard.
                keyboard = -1
                continuation.yield(.ended)
            }
        }
    }

    private func send(_ keys: [Key]) {
        for key in keys { continuation.yield(.key(key)) }
    }

    /// False: it is time to stop.
    private func readSignals() -> Bool {
        for byte in read(pipe) ?? [] {
            if byte == 0 { return false }
            continuation.yield(Int32(byte) == SIGWINCH ? .resized : .ended)
        }
        return true
    }

    private func read(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count >= 0 ? Array(buffer.prefix(count)) : nil
    }
}
