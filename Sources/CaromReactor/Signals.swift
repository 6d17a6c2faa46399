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
    private let key: UInt64
    private let reactor: Reactor
    private let waker = Waker()

    /// Keeps the signals from their default actions, in this thread and all started from it later.
    public static func block(_ numbers: [Int32]) {
        var set = Self.set(numbers)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Listens for the given signals, which must be blocked. Call it on the reactor's thread.
    ///
    /// - Throws: ``SystemError`` when descriptors have run out.
    public init(_ numbers: [Int32], reactor: Reactor) throws(SystemError) {
        var set = Self.set(numbers)
        descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
        if descriptor < 0 { throw SystemError.last("signalfd") }
        registration = Registration(descriptor: descriptor, waker: waker)
        do {
            key = try reactor.register(registration)
        } catch {
            close(descriptor)
            throw error
        }
        self.reactor = reactor
    }

    deinit {
        reactor.unseat(key)
        close(descriptor)
    }

    /// Waits for the next signal and says its number; `nil` when the deadline (in ``Reactor/now`` nanoseconds) passed or the
    /// task was cancelled before one came.
    public func next(until deadline: UInt64 = .max) async -> Int32? {
        let timer = reactor.makeTimer(waker)
        if deadline != .max { reactor.arm(timer, at: deadline) }
        defer { reactor.disarm(timer) }
        let (reactor, waker) = (reactor, waker)
        return await withTaskCancellationHandler {
            while !Task.isCancelled, deadline == .max || !timer.isDue(at: Reactor.now) {
                var info = signalfd_siginfo()
                if read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) > 0 {
                    return Int32(info.ssi_signo)
                }
                await waker.wait()
            }
            return nil
        } onCancel: {
            reactor.wake(waker)
        }
    }

    private static func set(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }
}
