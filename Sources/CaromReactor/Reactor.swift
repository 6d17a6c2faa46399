// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import DequeModule
import Glibc
import Synchronization

/// One thread with one epoll loop, which is also a Swift executor.
///
/// Tasks started with the reactor as their executor preference run on its thread from beginning to end, so code
/// that reads as if it blocked is driven by the loop. What runs for every event is better served by an ``EventHandler``,
/// which the loop calls without any task. Sockets, timers and wakers made for a reactor may be used on its thread only.
///
/// The loop never polls: it sleeps in `epoll_wait` until a descriptor, the earliest timer or another thread
/// has something for it.
public final class Reactor: @unchecked Sendable {
    // Unchecked: what is marked `@exclusivity(unchecked)` and `events` belong to the loop's thread; the rest is immutable or atomic.

    /// A small number that tells reactors apart, from 0 in the order of their making in a group.
    public let index: Int
    private let name: String
    let epoll: Int32
    private let inbox: Inbox
    private let thread = Atomic<UInt>(0)
    private let stopping = Atomic<Bool>(false)

    // The loop's own: what is called from it appends to these only between two accesses of the loop's.
    @exclusivity(unchecked) private var ready = Deque<UnownedJob>()
    /// Handlers to be called once the sockets have been looked at, and those of the turn in progress.
    @exclusivity(unchecked) private var upcoming: [Call] = []
    @exclusivity(unchecked) private var present: [Call] = []
    @exclusivity(unchecked) private var yielded: [UnsafeContinuation<Void, Never>] = []
    @exclusivity(unchecked) private var timers = TimerQueue()
    @exclusivity(unchecked) private var table = RegistrationTable()
    /// The time of the present turn once something asked for it; 0 before.
    @exclusivity(unchecked) private var turnNanoseconds: UInt64 = 0
    @exclusivity(unchecked) private var inboxRegistration: Registration
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Reactor.batch)
    /// How often the loop has gone round.
    @exclusivity(unchecked) package private(set) var turns = 0

    private struct Call {
        let handler: any EventHandler
        let token: Int
    }

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
        inboxRegistration = table.insert()
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLET.rawValue
        event.data.u64 = inboxRegistration.id
        if epoll_ctl(epoll, EPOLL_CTL_ADD, inbox.descriptor, &event) < 0 {
            throw SystemError.last("epoll_ctl")
        }
    }

    deinit {
        events.deallocate()
        table.deallocate()
        close(epoll)
    }

    /// Whether the caller runs on this reactor's thread.
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    // MARK: Threads

    /// Starts the thread and its loop. A reactor starts once.
    public func start() throws(SystemError) {
        try SystemThread.start(name: "\(name)-\(index)") { self.run() }
    }

    /// Ends the loop after the turn in progress and the calls (``call(_:)``) asked for so far. Call it when no task prefers this
    /// reactor any more: jobs that arrive later are never run.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        inbox.post(call: {})
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        while !stopping.load(ordering: .acquiring) {
            runJobs()
            poll()
            expireTimers()
            callUpcoming()
            resumeYielded()
            if inbox.takeLazyCalls() { readInbox() }
        }
        // Calls that were asked for before the stop, such as to take over a descriptor, are still made.
        readInbox()
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
        turnNanoseconds = 0
        turns &+= 1
        guard count > 0 else { return }
        let inboxID = inboxRegistration.id
        for index in 0..<count {
            let id = events[index].data.u64
            if id == inboxID {
                readInbox()
            } else if let entry = table[id] {
                Self.record(events[index].events, in: entry)
                if let handler = entry.pointee.handler { handler.handle(entry.pointee.token) }
            }
        }
    }

    @inline(__always)
    private static func record(_ mask: UInt32, in entry: UnsafeMutablePointer<Registration.Entry>) {
        if mask & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            entry.pointee.readable.store(true, ordering: .relaxed)
        }
        if mask & (EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            entry.pointee.writable.store(true, ordering: .relaxed)
        }
        if mask & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            entry.pointee.hungUp.store(true, ordering: .relaxed)
        }
    }

    private func callUpcoming() {
        if upcoming.isEmpty { return }
        swap(&upcoming, &present)
        for call in present { call.handler.handle(call.token) }
        present.removeAll(keepingCapacity: true)
    }

    private func readInbox() {
        let contents = inbox.drain()
        ready.append(contentsOf: contents.jobs)
        for waker in contents.wakers { waker.wake() }
        for call in contents.calls { call() }
    }

    /// Milliseconds until the next timer, rounded up; 0 with work at hand, −1 (for ever) with nothing to wait for.
    private func timeout() -> Int32 {
        if !ready.isEmpty || !yielded.isEmpty || !upcoming.isEmpty { return 0 }
        guard let earliest = timers.earliest else { return -1 }
        // The turn's own time is good enough: what the jobs took since then makes a timer that much later.
        let now = turnTime
        guard earliest > now else { return 0 }
        return Int32(clamping: (earliest.nanoseconds - now.nanoseconds + 999_999) / 1_000_000)
    }

    private func resumeYielded() {
        if yielded.isEmpty { return }
        let continuations = yielded
        yielded.removeAll(keepingCapacity: true)
        for continuation in continuations { continuation.resume() }
    }

    private func expireTimers() {
        if timers.isEmpty { return }
        let now = turnTime
        while let timer = timers.popDue(at: now) { timer.handler.handle(timer.token) }
    }

    /// When the present turn's events arrived: the clock is read at most once a turn. On the reactor's thread.
    public var turnTime: Deadline {
        if turnNanoseconds == 0 { turnNanoseconds = Deadline.now.nanoseconds }
        return Deadline(nanoseconds: turnNanoseconds)
    }

    // MARK: Timers and messages

    /// A disarmed timer that calls `handler`, for example wakes a waker.
    ///
    /// It keeps its handler: one that owns its timer lets go of it at its end, or gives it a waker.
    public func makeTimer(_ handler: any EventHandler, token: Int = 0) -> ReactorTimer {
        ReactorTimer(handler, token: token)
    }

    /// Sets the time at which the timer's handler is called; replaces an earlier setting.
    public func arm(_ timer: ReactorTimer, at deadline: Deadline) {
        assert(isCurrent, "timers belong to the reactor's thread")
        timers.arm(timer, at: deadline)
    }

    /// Takes the timer out; its handler hears nothing of it any more.
    public func disarm(_ timer: ReactorTimer) {
        assert(isCurrent, "timers belong to the reactor's thread")
        timers.disarm(timer)
    }

    /// Lets everything else of the loop have a turn, sockets included, before the caller goes on.
    public func nextTurn() async {
        await withUnsafeContinuation { yielded.append($0) }
    }

    /// Calls `handler` once the sockets, or the rest of them, have been looked at: for what is woken within a turn, and for
    /// what has more to do but shall not keep the others waiting. On the reactor's thread.
    ///
    /// Each call of this method makes one call of the handler, which is kept until then.
    public func again(_ handler: any EventHandler, token: Int = 0) {
        assert(isCurrent, "handlers are called on the reactor's thread")
        upcoming.append(Call(handler: handler, token: token))
    }

    /// Wakes a waker of this reactor from any thread.
    public func wake(_ waker: Waker) {
        if isCurrent { waker.wake() } else { inbox.post(waker: waker) }
    }

    /// Calls `body` on the reactor's thread, soon; from any thread.
    public func call(_ body: @escaping @Sendable () -> Void) { inbox.post(call: body) }

    // MARK: Descriptors

    /// Takes a descriptor in, edge-triggered; `handler` is called at each event. On the reactor's thread.
    ///
    /// A connected socket counts as writable until a write says otherwise: epoll is asked for writability only while something
    /// waits for it, because a Unix socket reports it each time the peer reads.
    ///
    /// - Parameter connecting: it is not connected yet, and writable when it is.
    /// - Throws: ``SystemError`` when epoll does not take it.
    package func register(
        _ descriptor: Int32, handler: (any EventHandler)?, token: Int = 0, connecting: Bool = false
    ) throws(SystemError) -> Registration {
        assert(isCurrent, "descriptors are registered on the reactor's thread")
        let registration = table.insert()
        registration.isReadable = false
        registration.isWritable = !connecting
        registration.isHungUp = false
        registration.entry.pointee.watchesWrites = connecting
        registration.setHandler(handler, token: token)
        if !control(EPOLL_CTL_ADD, descriptor, registration) {
            let error = SystemError.last("epoll_ctl")
            _ = table.remove(registration)
            throw error
        }
        return registration
    }

    /// Asks epoll for writability, or no longer. On the reactor's thread.
    package func watchWrites(_ watches: Bool, of descriptor: Int32, _ registration: Registration) {
        registration.entry.pointee.watchesWrites = watches
        let isChanged = control(EPOLL_CTL_MOD, descriptor, registration)
        assert(isChanged, "epoll does not know a registered descriptor")
    }

    /// Gives the place back; the handler hears nothing more. From another thread than the reactor's it is given back in the
    /// loop's next turn.
    ///
    /// - Parameter descriptor: what leaves epoll now; nil when it is about to be closed, with which it leaves by itself.
    package func deregister(_ registration: Registration, of descriptor: Int32? = nil) {
        if let descriptor { epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }
        if isCurrent {
            _ = table.remove(registration)
        } else {
            inbox.postLazily { _ = self.table.remove(registration) }
        }
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ registration: Registration) -> Bool {
        var event = epoll_event()
        let output = registration.watchesWrites ? EPOLLOUT.rawValue : 0
        event.events = EPOLLIN.rawValue | output | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        event.data.u64 = registration.id
        return epoll_ctl(epoll, operation, descriptor, &event) == 0
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
