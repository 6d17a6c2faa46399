// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromReactor
import Glibc
import Synchronization

/// What a hand-over needs of the process that it happens in.
struct ProcessParts: Sendable {
    let workers: [Worker]
    let listeners: Listeners
    let router: Router
    let cancels: CancelRegistry
    let log: PoolerLog
    /// A new process has taken over, or is gone and this one serves again.
    let handedOver: @Sendable (Bool) -> Void
    /// How long clients may need to finish when the process is told to stop.
    let patience: @Sendable () -> Duration?
    /// Clients that are still here are ended, for the reason given.
    let abort: @Sendable (String) -> Void
    /// Nobody is left.
    let finish: @Sendable () -> Void

    /// The links to other processes are on its thread.
    var reactor: Reactor { workers[0].reactor }

    /// The worker that has the client of an owner's number.
    func worker(of owner: UInt64) -> Worker { workers[Int(owner >> Worker.ownerShift)] }
}

/// The process's place in a row of processes of which each takes over from the one before (`carom upgrade`): the socket by which the
/// next one comes, and the processes before and after this one.
final class Succession: @unchecked Sendable {
    // Unchecked: what is not a constant or atomic is the first reactor's thread's own.
    private let takeover: Takeover?
    private var door: Listener?
    private var parts: ProcessParts?
    private var predecessor: Predecessor?
    private var successor: Successor?
    private var processFile: ProcessFile?
    private var isStopping = false
    private let isOver = Atomic<Bool>(false)
    /// Whether this process is the one that accepts clients: at first, and whenever that has changed.
    let turns: AsyncStream<Bool>
    private let changes: AsyncStream<Bool>.Continuation

    /// - Parameter takeover: of the process before this one, if there is one.
    init(takeover: Takeover?) {
        self.takeover = takeover
        (turns, changes) = AsyncStream.makeStream(of: Bool.self)
        changes.yield(true)
    }

    /// There is a process before this one. From any thread.
    var takesOver: Bool { takeover != nil }

    /// Another process accepts clients instead of this one. From any thread.
    var hasHandedOver: Bool { isOver.load(ordering: .acquiring) }

    // MARK: Start and end

    /// Opens the socket by which the next process comes, and takes the place of the one before. On the first reactor's thread.
    ///
    /// - Throws: what goes wrong; if there is a process before this one it goes on then.
    func begin(_ parts: ProcessParts, _ settings: Settings, _ inherited: InheritedSockets) async throws {
        self.parts = parts
        if let path = settings.upgradeSocket { door = try Self.open(path, inherited, parts) }
        if let takeover {
            let predecessor = Predecessor(takeover, parts)
            self.predecessor = predecessor
            parts.cancels.others.withLock { $0.predecessor = predecessor }
            try await predecessor.begin(limit: settings.upgradeTimeout)
            try door?.goOn()
        }
        processFile = try settings.pidFile.map { path throws(SystemError) in try ProcessFile(path) }
    }

    /// Nobody but the user that runs the pooler may write to it.
    private static func open(_ path: String, _ inherited: InheritedSockets, _ parts: ProcessParts)
        throws(SystemError) -> Listener
    {
        let address = SocketAddress(.unix(path: path))
        if let socket = inherited.take(address) {
            return try Listener(
                adopting: socket.descriptor, ownsFile: socket.ownsFile, isResting: socket.isShared,
                reactor: parts.reactor)
        }
        return try Listener(on: address, backlog: 4, mode: 0o600, reactor: parts.reactor)
    }

    /// Lets in processes that want to take over, until ``stop()``.
    func run() async {
        guard let door, let parts else { return }
        do throws(SystemError) {
            while let accepted = try await door.accept() { receive(accepted.descriptor, parts) }
        } catch {
            parts.log.error("\(error); nobody can take over any more")
        }
    }

    private func receive(_ descriptor: Int32, _ parts: ProcessParts) {
        guard let user = DescriptorPassing.peerUser(of: descriptor), user == 0 || user == geteuid() else {
            parts.log.error("upgrade: refused: only the user that runs the pooler may take over")
            close(descriptor)
            return
        }
        do throws(SystemError) {
            let new = try Successor(
                descriptor, parts, sockets: { self.sockets },
                mayFinish: { self.predecessor?.isPresent != true },
                pause: { self.pause($0) })
            if let successor, successor.isPresent {
                if successor.hasBegun { return new.refuse("another process is taking over already") }
                // Nothing has changed for it, and it may hang: whoever comes last is meant.
                successor.refuse("another process came after it")
            }
            successor = new
            parts.cancels.others.withLock { $0.successor = new }
        } catch {
            parts.log.error("upgrade: \(error)")
        }
    }

    /// The process goes down: nobody comes any more. On the first reactor's thread.
    func stop() {
        isStopping = true
        door?.close()
        door = nil
        predecessor?.tellStop()
    }

    /// The process has ended.
    func end() {
        changes.finish()
        processFile = nil
        parts?.cancels.others.withLock { $0 = CancelRegistry.Others() }
        (parts, predecessor, successor) = (nil, nil, nil)
    }

    /// This process listens elsewhere than before. On the first reactor's thread.
    func listensElsewhere() {
        guard let predecessor else { return }
        predecessor.tell(listening: sockets.map(\.address))
    }

    private var sockets: [Listener] { (parts?.listeners.all ?? []) + (door.map { [$0] } ?? []) }

    // MARK: Another process

    /// Another process has taken over, or has gone.
    private func pause(_ isPaused: Bool) {
        guard let parts, !isStopping else { return }
        if !isPaused { parts.log.error("upgrade: the new process is gone: this one serves again") }
        isOver.store(isPaused, ordering: .releasing)
        for socket in sockets {
            if isPaused {
                socket.rest()
                continue
            }
            do throws(SystemError) { try socket.goOn() } catch {
                parts.log.error("\(error); this listener is closed")
                parts.listeners.drop(socket)
            }
        }
        for route in parts.router.all { Self.save(route, isPaused) }
        if !isPaused {
            // The new process has put its own number there.
            do throws(SystemError) { try processFile?.write() } catch { parts.log.error("\(error)") }
        }
        changes.yield(!isPaused)
        parts.handedOver(isPaused)
    }

    /// The new process opens servers of its own: those of this one are closed as nobody uses them any more.
    private static func save(_ route: Route, _ isPaused: Bool) {
        var policy = route.definition.policy
        if isPaused {
            policy.minSlots = 0
            policy.shrink = .afterIdle(.seconds(1))
            route.pool.retireAll()
        }
        try? route.pool.update(policy: policy)
    }
}
