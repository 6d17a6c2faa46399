// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// Signals of the process as events of a reactor.
///
/// Block them with ``block(_:)`` before any thread starts, then wait with ``next(until:)``.
public final class Signals {
    private let descriptor: Int32
    private let registration: Registration
    private let reactor: Reactor
    private let waker = Waker()

    /// Keeps the signals from their default actions, in this thread and all started from it later.
    public static func block(_ numbers: [Int32]) {
        var set = Self.set(numbers)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Has signals do nothing whose default is to end the process. What somebody else has a handler for stays with that.
    public static func ignore(_ numbers: [Int32]) {
        for number in numbers {
            var action = sigaction()
            guard sigaction(number, nil, &action) == 0, action.sa_flags & SA_SIGINFO == 0,
                unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 0
            else { continue }
            signal(number, SIG_IGN)
        }
    }

    /// Listens for the given signals, which must be blocked. Call it on the reactor's thread.
    ///
    /// - Throws: ``SystemError`` when descriptors have run out.
    public init(_ numbers: [Int32], reactor: Reactor) throws(SystemError) {
        var set = Self.set(numbers)
        descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
        if descriptor < 0 { throw SystemError.last("signalfd") }
        do {
            registration = try reactor.register(descriptor, handler: waker)
        } catch {
            close(descriptor)
            throw error
        }
        self.reactor = reactor
    }

    deinit {
        reactor.deregister(registration)
        close(descriptor)
    }

    /// Waits for the next signal and says its number; `nil` when the deadline passed or the task was cancelled before one
    /// came.
    public func next(until deadline: Deadline = .never) async -> Int32? {
        while !Task.isCancelled, deadline > .now {
            if let number = take() { return number }
            guard await reactor.wait(for: waker, until: deadline) == .signaled else { return nil }
        }
        return nil
    }

    private func take() -> Int32? {
        var info = signalfd_siginfo()
        let count = read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size)
        return count > 0 ? Int32(info.ssi_signo) : nil
    }

    private static func set(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }
}
