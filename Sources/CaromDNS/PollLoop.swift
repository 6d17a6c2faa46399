// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromAres
import CaromReactor
import Glibc
import Synchronization

/// The thread's loop. `submit` and `finish` are for any thread; the rest runs on the loop's own.
// Unchecked: `inbox` has its lock, everything else is touched by the loop's thread only.
final class PollLoop: @unchecked Sendable {
    private struct Inbox {
        var jobs: [@Sendable () -> Void] = []
        var isFinished = false
    }

    private struct Watch {
        let client: any DNSEventLoopClient
        let events: Int16
    }

    private struct Timer {
        let client: any DNSEventLoopClient
        let deadline: ContinuousClock.Instant
    }

    private let wake: Int32
    private let inbox = Mutex(Inbox())
    private var watches: [Int32: Watch] = [:]
    private var timers: [ObjectIdentifier: Timer] = [:]

    init() throws(DNSError) {
        wake = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard wake >= 0 else {
            throw DNSError(.system, "no descriptor for a DNS thread: \(SystemError.last("eventfd").reason)")
        }
    }

    deinit {
        close(wake)
    }

    /// Starts the loop's thread, which keeps the loop until it has finished.
    func start() throws(DNSError) {
        do throws(SystemError) {
            // c-ares writes to TCP sockets in a way that can raise SIGPIPE: a thread of this kind blocks it.
            try SystemThread.start(name: "dns") { [self] in run() }
        } catch {
            throw DNSError(.system, "no thread for DNS: \(error.reason)")
        }
    }

    func submit(_ job: @escaping @Sendable () -> Void) {
        let mustWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            return inbox.jobs.count == 1
        }
        if mustWake { signal() }
    }

    func finish() {
        inbox.withLock { $0.isFinished = true }
        signal()
    }

    func watch(_ descriptor: Int32, readable: Bool, writable: Bool, for client: any DNSEventLoopClient) {
        let events = (readable ? Int16(POLLIN) : 0) | (writable ? Int16(POLLOUT) : 0)
        watches[descriptor] = events == 0 ? nil : Watch(client: client, events: events)
    }

    func armTimer(after delay: Duration?, for client: any DNSEventLoopClient) {
        timers[ObjectIdentifier(client)] = delay.map {
            Timer(client: client, deadline: ContinuousClock.now.advanced(by: $0))
        }
    }

    private func signal() {
        var one: UInt64 = 1
        // A full counter already means "awake".
        _ = write(wake, &one, 8)
    }

    private func run() {
        var polled: [pollfd] = []
        while true {
            polled.removeAll(keepingCapacity: true)
            polled.append(pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
            for (descriptor, watch) in watches {
                polled.append(pollfd(fd: descriptor, events: watch.events, revents: 0))
            }
            _ = poll(&polled, nfds_t(polled.count), waitingTime())
            if polled[0].revents != 0 {
                var count: UInt64 = 0
                _ = read(wake, &count, 8)
            }
            let (jobs, isFinished) = inbox.withLock { inbox in
                defer { inbox.jobs = [] }
                return (inbox.jobs, inbox.isFinished)
            }
            for job in jobs { job() }
            for entry in polled.dropFirst() where entry.revents != 0 {
                // An earlier client may have ended this watch, or its descriptor may be another one by now: both are
                // harmless, as readiness is only a hint to try.
                guard let watch = watches[entry.fd] else { continue }
                watch.client.descriptorReady(
                    entry.fd,
                    readable: entry.revents & Int16(POLLIN | POLLERR | POLLHUP | POLLNVAL) != 0,
                    writable: entry.revents & Int16(POLLOUT) != 0)
            }
            let now = ContinuousClock.now
            for (id, timer) in timers where timer.deadline <= now {
                // A timer fired before may have ended this one.
                guard timers[id]?.deadline == timer.deadline else { continue }
                timers[id] = nil
                timer.client.timerFired()
            }
            if isFinished { return }
        }
    }

    /// Milliseconds to the earliest timer, rounded up so that it has really passed; -1 without one.
    private func waitingTime() -> Int32 {
        guard let earliest = timers.values.map(\.deadline).min() else { return -1 }
        let left = ContinuousClock.now.duration(to: earliest)
        guard left > .zero else { return 0 }
        let (seconds, attoseconds) = left.components
        guard seconds < 1_000_000 else { return 1_000_000_000 }
        return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
