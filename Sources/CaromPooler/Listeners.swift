// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import Glibc
import Synchronization

/// The sockets on which clients are accepted, and what the configuration says about each.
final class Listeners: Sendable {
    /// An address to listen on, as a snapshot asks for it.
    struct Wish: Sendable {
        let address: SocketAddress
        /// Permission bits, if it is a Unix socket.
        let mode: UInt32
        let definition: ListenerDefinition
    }

    private struct Open: Sendable {
        let socket: Listener
        var definition: ListenerDefinition
    }

    private let inherited: InheritedSockets
    private let open = Mutex<[SocketAddress: Open]>([:])
    /// Sockets that were opened and are to be accepted on, until ``stop()``.
    let opened: AsyncStream<Listener>
    private let news: AsyncStream<Listener>.Continuation

    init(inherited: InheritedSockets) {
        self.inherited = inherited
        (opened, news) = AsyncStream.makeStream(of: Listener.self)
    }

    /// The kernel may keep a caller for so long until it sends its startup packet: then one event brings both. Longer would
    /// keep a silent caller out of `client_login_timeout`.
    private static var acceptDeferral: Duration { .seconds(1) }

    /// What a snapshot asks for. Host names are looked up, which may take a while.
    static func wishes(of snapshot: Snapshot) throws(SystemError) -> [Wish] {
        var wishes: [Wish] = []
        for definition in snapshot.listeners {
            for (address, mode) in try definition.socketAddresses() {
                wishes.append(Wish(address: address, mode: mode, definition: definition))
            }
        }
        return wishes
    }

    /// What clients that come by a socket are served by.
    func definition(of socket: Listener) -> ListenerDefinition? {
        open.withLock { open in open.values.first { $0.socket === socket }?.definition }
    }

    /// Opens those that are wished for and not open; all or none. On the reactor's thread.
    ///
    /// - Returns: what is to be handed to ``use(_:_:)``.
    func prepare(_ wishes: [Wish], _ snapshot: Snapshot, on reactor: Reactor, _ log: PoolerLog)
        throws(SystemError) -> [SocketAddress: Listener]
    {
        var sockets: [SocketAddress: Listener] = [:]
        let known = open.withLock { open in Set(open.keys) }
        do throws(SystemError) {
            for wish in wishes where !known.contains(wish.address) {
                do throws(SystemError) {
                    sockets[wish.address] =
                        if let socket = inherited.take(wish.address) {
                            try Listener(
                                adopting: socket.descriptor, ownsFile: socket.ownsFile, tcp: snapshot.tcp,
                                deferAccept: Self.acceptDeferral, isResting: socket.isShared, reactor: reactor
                            )
                        } else {
                            try Listener(
                                on: wish.address, backlog: Int32(clamping: wish.definition.settings.backlog),
                                mode: wish.mode, reusePort: wish.definition.settings.reusePort,
                                tcp: snapshot.tcp, deferAccept: Self.acceptDeferral, reactor: reactor)
                        }
                } catch  where error.code == EAFNOSUPPORT && wish.definition.isOptional(wish.address) {
                    log.info("\(error); this machine has no IPv6")
                }
            }
        } catch {
            for socket in sockets.values { socket.close() }
            throw error
        }
        return sockets
    }

    /// Accepts on what is wished for and on nothing else. On the reactor's thread.
    ///
    /// - Parameter new: those that were not open before.
    func use(_ wishes: [Wish], _ new: [SocketAddress: Listener], _ log: PoolerLog) {
        var gone: [Listener] = []
        open.withLock { open in
            let wanted = Dictionary(
                wishes.map { ($0.address, $0.definition) }, uniquingKeysWith: { first, _ in first })
            for (address, listener) in open {
                if let definition = wanted[address] {
                    open[address]?.definition = definition
                } else {
                    open[address] = nil
                    gone.append(listener.socket)
                }
            }
            for (address, socket) in new {
                if let definition = wanted[address] {
                    open[address] = Open(socket: socket, definition: definition)
                }
            }
        }
        for socket in gone {
            socket.close()
            log.info("no longer listening on \(socket.address)")
        }
        for wish in wishes {
            guard let socket = new[wish.address] else { continue }
            do throws(SystemError) { try socket.goOn() } catch {
                log.error("\(error); this listener is closed")
                drop(socket)
                continue
            }
            log.info("listening on \(socket.address)")
            news.yield(socket)
        }
    }

    /// Closes what was handed over and is not wished for.
    func closeRest(_ log: PoolerLog) {
        for address in inherited.closeRest() {
            log.error(
                "the socket on \(address) was handed over, but no listen block has this address: closed")
        }
    }

    /// All that are open.
    var all: [Listener] { open.withLock { $0.values.map(\.socket) } }

    /// Those on other addresses are closed: the process that accepts on them in place of this one has closed them. On the reactor's
    /// thread.
    func keep(only addresses: [SocketAddress]) {
        for socket in all where !addresses.contains(socket.address) {
            // With its file, which is nobody else's.
            try? socket.goOn()
            drop(socket)
        }
    }

    /// A socket cannot be accepted on any more. On the reactor's thread.
    func drop(_ socket: Listener) {
        open.withLock { open in open = open.filter { $0.value.socket !== socket } }
        socket.close()
    }

    /// Closes all of them. On the reactor's thread.
    func stop() {
        news.finish()
        let sockets = open.withLock { open in
            defer { open = [:] }
            return open.values.map(\.socket)
        }
        for socket in sockets { socket.close() }
    }
}
