// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import DequeModule
import Glibc
import Synchronization

/// One thread with one epoll loop, which is also a Swift executor.
///
/// Tasks started with the reactor as their executor preference run on its thread from beginning to end, so code
/// that reads as if it blocked is driven by the loop. Sockets (``Stream``), timers and wakers made for a
/// reactor may be used on its thread only.
///
/// The loop never polls: it sleeps in `epoll_wait` until a descriptor, the earliest timer or another thread
/// has something for it.
public final class Reactor: @unchecked Sendable {
    // Unchecked: `ready`, `timers`, `table` and `events` belong to the loop's thread; the rest is immutable or atomic.

    /// A small number that tells reactors apart, from 0 in the order of their making in a group.
    public let index: Int
    private let name: String
    let epoll: Int32
    private let inbox: Inbox
    private let thread = Atomic<UInt>(0)
    private let stopping = Atomic<Bool>(false)

    // The loop's own queues: `enqueue` appends from within a job that was taken out before, never during an access.
    @exclusivity(unchecked) private var ready = Deque<UnownedJob>()
    private var yielded: [UnsafeContinuation<Void, Never>] = []
    @exclusivity(unchecked) private var timers = TimerQueue()
    @exclusivity(unchecked) private var table = RegistrationTable()
    /// The time of the present turn, as long as there are timers.
    private var turnTime: UInt64 = 0
    private let inboxKey: UInt64
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Reactor.batch)

    private static let batch = 256
    /// Jobs run between two looks at the sockets, so that chatty tasks cannot starve them.
    private static let jobsPerTurn = 64

    /// Makes the loop's descriptors; nothing runs before ``start()``.
    ///
    /// - Throws: ``SystemError`` when descriptors have run out.
    public init(index: Int = 0, name: String = "reactor") throws(SystemError) {
        self.index = index
        self.name = name
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        if epoll < 0 { throw SystemError.last("epoll_create1") }
        inbox = try Inbox()
        inboxKey = table.insert(Registration(descriptor: inbox.descriptor, waker: nil))
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLET.rawValue
        event.data.u64 = inboxKey
        if epoll_ctl(epoll, EPOLL_CTL_ADD, inbox.descriptor, &event) < 0 {
            throw SystemError.last("epoll_ctl")
        }
    }

    deinit {
        events.deallocate()
        close(epoll)
    }

    /// Nanoseconds of the monotonic clock; the time base of ``ReactorTimer``.
    public static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// Whether the caller runs on this reactor's thread.
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    // MARK: Threads

    /// Starts the thread and its loop. A reactor starts once.
    public func start() throws(SystemError) {
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                let reactor = Unmanaged<Reactor>.fromOpaque(argument!).takeRetainedValue()
                reactor.run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        if code != 0 { throw SystemError(code: code, operation: "pthread_create") }
        pthread_detach(thread)
    }

    /// Ends the loop after the turn in progress. Call it when no task prefers this reactor any more: jobs that
    /// arrive later are never run.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        inbox.post(call: {})
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        carom_name_thread(String("\(name)-\(index)".prefix(15)))
        while !stopping.load(ordering: .acquiring) {
            runJobs()
            poll()
            expireTimers()
            resumeYielded()
            if inbox.takeLazyCalls() { readInbox() }
        }
    }

    // MARK: One turn

    private func runJobs() {
        let executor = asUnownedTaskExecutor()
        var budget = Self.jobsPerTurn
        while budget > 0, let job = ready.popFirst() {
            // Not `isolatedTo:` the serial executor as well: every non-isolated function of a task would then have to leave it
            // first, which is a trip through this queue.
            job.runSynchronously(on: executor)
            budget -= 1
        }
    }

    private func poll() {
        let count = Int(epoll_wait(epoll, events, Int32(Self.batch), timeout()))
        guard count > 0 else { return }
        for index in 0..<count {
            let key = events[index].data.u64
            if key == inboxKey {
                readInbox()
            } else if let registration = table[key] {
                note(events[index].events, on: registration)
            }
        }
    }

    private func note(_ mask: UInt32, on registration: Registration) {
        if mask & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            registration.isReadable = true
        }
        if mask & (EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            registration.isWritable = true
        }
        if mask & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            registration.isHungUp = true
        }
        registration.waker?.wake()
    }

    private func readInbox() {
        let contents = inbox.drain()
        ready.append(contentsOf: contents.jobs)
        for waker in contents.wakers { waker.wake() }
        for call in contents.calls { call() }
    }

    /// Milliseconds until the next timer, rounded up; 0 with work at hand, −1 (for ever) with nothing to wait for.
    private func timeout() -> Int32 {
        if !ready.isEmpty || !yielded.isEmpty { return 0 }
        guard let earliest = timers.earliest else { return -1 }
        // The turn's own time is good enough: what the jobs took since then makes a timer that much later.
        if turnTime == 0 { turnTime = Self.now }
        guard earliest > turnTime else { return 0 }
        return Int32(clamping: (earliest - turnTime + 999_999) / 1_000_000)
    }

    private func resumeYielded() {
        if yielded.isEmpty { return }
        let continuations = yielded
        yielded.removeAll(keepingCapacity: true)
        for continuation in continuations { continuation.resume() }
    }

    private func expireTimers() {
        if timers.isEmpty {
            turnTime = 0
            return
        }
        turnTime = Self.now
        while let timer = timers.popDue(at: turnTime) { timer.waker.wake() }
    }

    // MARK: Timers and messages

    /// A disarmed timer that wakes `waker`.
    public func makeTimer(_ waker: Waker) -> ReactorTimer { ReactorTimer(waker: waker) }

    /// Sets the time at which the timer's waker is woken; replaces an earlier setting.
    public func arm(_ timer: ReactorTimer, at deadline: UInt64) {
        assert(isCurrent, "timers belong to the reactor's thread")
        timers.arm(timer, at: deadline)
    }

    /// Takes the timer out; its waker hears nothing of it any more.
    public func disarm(_ timer: ReactorTimer) {
        assert(isCurrent, "timers belong to the reactor's thread")
        timers.disarm(timer)
    }

    /// Lets everything else of the loop have a turn, sockets included, before the caller goes on.
    public func nextTurn() async {
        await withUnsafeContinuation { yielded.append($0) }
    }

    /// Waits for `nanoseconds` on the reactor's thread. `false` when the task was cancelled before.
    public func sleep(for nanoseconds: UInt64) async -> Bool {
        let waker = Waker()
        let timer = makeTimer(waker)
        let deadline = Self.now + nanoseconds
        arm(timer, at: deadline)
        defer { disarm(timer) }
        await withTaskCancellationHandler {
            while !Task.isCancelled, Self.now < deadline { await waker.wait() }
        } onCancel: {
            wake(waker)
        }
        return !Task.isCancelled
    }

    /// Wakes a waker of this reactor from any thread.
    public func wake(_ waker: Waker) {
        if isCurrent { waker.wake() } else { inbox.post(waker: waker) }
    }

    /// Calls `body` on the reactor's thread, soon; from any thread.
    public func call(_ body: @escaping @Sendable () -> Void) { inbox.post(call: body) }

    // MARK: Descriptors

    /// Seats a descriptor: edge-triggered, once, for reading and writing.
    func register(_ registration: Registration) throws(SystemError) -> UInt64 {
        assert(isCurrent, "descriptors are registered on the reactor's thread")
        let key = table.insert(registration)
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        event.data.u64 = key
        if epoll_ctl(epoll, EPOLL_CTL_ADD, registration.descriptor, &event) < 0 {
            let error = SystemError.last("epoll_ctl")
            table.remove(key)
            throw error
        }
        return key
    }

    /// Gives the seat back. The descriptor itself leaves epoll by `close` or by `epoll_ctl`, at the caller's.
    func unseat(_ key: UInt64) {
        if isCurrent {
            table.remove(key)
        } else {
            inbox.postLazily { self.table.remove(key) }
        }
    }
}

extension Reactor: TaskExecutor, SerialExecutor {
    /// Queues a job of the Swift runtime for the loop's thread.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent { ready.append(job) } else { inbox.post(job: job) }
    }

    /// Code on the loop's thread is isolated to this executor, and no other code is.
    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Traps unless called on the loop's thread.
    public func checkIsolated() {
        precondition(isCurrent, "this code must run on the thread of \(name)-\(index)")
    }
}
