// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

extension ClientSession {
    /// Asks the pool for a server. `true`: the session holds one now. `false`: it is in the queue and is woken.
    @inline(never)
    func attach() throws(SessionEnd) -> Bool {
        guard let route else { preconditionFailure("a session attaches after it was routed") }
        switch route.pool.claim(request, timeout: nil, receiver: delivery) {
        case .claimed(let claim):
            try adopt(claim)
            return true
        case .waiting(let waiter):
            waiting = waiter
            return false
        case .failed(let error):
            throw refusal(error, route)
        }
    }

    /// Takes a server if one is idle. `true`: the session holds one now.
    func attachIfIdle() throws(SessionEnd) -> Bool {
        guard let route else { preconditionFailure("a session attaches after it was routed") }
        switch route.pool.claim(request, timeout: .zero, receiver: delivery) {
        case .claimed(let claim):
            try adopt(claim)
            return true
        case .waiting: preconditionFailure("a claim without patience waits")
        case .failed: return false
        }
    }

    private var request: ClaimRequest {
        var request = ClaimRequest.any
        request.affinity = worker.reactor.index
        request.preferredSlot = preferredSlot
        return request
    }

    /// Takes the server that the session has waited for, if it has come. `true`: the session holds one now.
    @inline(never)
    func attachDelivered() throws(SessionEnd) -> Bool {
        guard waiting != nil, let ticket = delivery.take(), let route else { return false }
        waiting = nil
        let claim: Claim<PostgresConnection>
        do throws(PoolError) {
            claim = try route.pool.redeem(ticket)
        } catch {
            throw refusal(error, route)
        }
        try adopt(claim)
        return true
    }

    /// Leaves the queue, or gives back what was delivered at the last moment.
    func abandonClaim() {
        guard let waiter = waiting, let route else { return }
        waiting = nil
        if !route.pool.cancel(waiter), let ticket = delivery.take() { route.pool.abandon(ticket) }
    }

    private func adopt(_ claim: consuming Claim<PostgresConnection>) throws(SessionEnd) {
        let connection = claim.connection
        do throws(SystemError) {
            try connection.transport.move(to: worker.reactor, handler: waker)
        } catch {
            claim.discard("the worker could not take its socket")
            throw .fatal(.connectionFailure, "failed to take over a server connection: \(error.reason)")
        }
        preferredSlot = claim.slot
        self.claim = consume claim
        server = connection
        // While the session is set up it only wants to know the server's parameters.
        if isReady, connection.state.value.owner != owner { deploy(on: connection.state) }
    }

    /// Makes another client's server this client's: resets what the other left behind, and sets the parameters that differ.
    ///
    /// Costs no round trip: the statements go ahead of the client's own first bytes, in the same write, and their replies
    /// are taken out of the answer (Odyssey's deploy).
    func deploy(on state: UnsafeSingleOwner<ConnectionState>) {
        guard let route else { return }
        let isForeign = state.value.owner != 0
        if isForeign, route.resetsOnChange || (state.value.isTainted && route.resetsTainted) {
            prepend("DISCARD ALL", state)
            state.value.isTainted = false
            if let server { state.value.parameters = server.initialParameters }
        }
        if parameters.appendQuery(toDeployOn: state.value.parameters, into: &prefix) > 0 {
            expectHiddenReply(state)
            state.value.parameters = parameters.deployed(on: state.value.parameters)
        }
        state.value.owner = owner
    }

    private func prepend(_ sql: String, _ state: UnsafeSingleOwner<ConnectionState>) {
        Query(sql).encode(into: &prefix)
        expectHiddenReply(state)
    }

    private func expectHiddenReply(_ state: UnsafeSingleOwner<ConnectionState>) {
        state.value.hiddenReplies += 1
        do throws(FlowError) {
            try state.value.flow.sent(.query)
        } catch {
            preconditionFailure("a server that was lent takes no query: \(error)")
        }
    }

    /// Lets the server go if the client's transaction is over and nothing is under way. Session pooling keeps it.
    func detachIfFree() {
        guard let server, cancelsUnderWay == 0, let route, route.settings.pool == .transaction else { return }
        // A server that must be asked first whether it is free is asked by the pool; its client waits for nothing more.
        guard server.state.value.isFree ? server.state.value.isClean : server.state.value.mayBeFree else {
            return
        }
        if walker.isAtBorder { detach() }
    }

    /// Gives the server back in whatever state it is; the pool has it cleaned where that is needed.
    func detach() {
        guard let server else { return }
        if !server.transport.isClosed {
            // It has been counted as sent: the pool waits for the reply.
            if !prefix.isEmpty { write(UnsafeRawBufferPointer(start: nil, count: 0), to: server) }
            server.transport.setHandler(nil)
        }
        prefix = []
        self.server = nil
        claim.take()?.recycle()
    }

    /// What to tell a client that gets no server.
    private func refusal(_ error: PoolError, _ route: Route) -> SessionEnd {
        if let fields = route.forwardedError(error) { return .refused(fields) }
        switch error.code {
        case .exhausted, .timedOut, .queueFull, .overloaded:
            return .fatal(
                .tooManyConnections, "too many active clients for route \(route.name): \(error.message)",
                hint: "raise pool_size or pool_timeout, or let transactions end sooner")
        case .stopped, .cancelled:
            return .fatal(.adminShutdown, "the pooler is shutting down")
        default:
            return .fatal(
                .connectionFailure, "failed to connect to a server for route \(route.name): \(error.message)")
        }
    }
}
