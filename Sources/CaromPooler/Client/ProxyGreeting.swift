// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import CaromTCP

/// The stage in front of the login where a listener serves proxies (`proxy_protocol`): one of them says whose bytes follow.
///
/// A client that no proxy speaks for must not get past it, since it could say that it is anybody.
final class ProxyGreeting: SessionStage {
    private let session: ClientSession
    private let deadline: Deadline
    @exclusivity(unchecked) private var input = LoginInput()
    @exclusivity(unchecked) private var timer: ReactorTimer?
    @exclusivity(unchecked) private var isOver = false

    private static let timerToken = 1

    /// - Parameter deadline: when the client must have logged in.
    init(_ session: ClientSession, until deadline: Deadline) {
        self.session = session
        self.deadline = deadline
        let timer = session.worker.reactor.makeTimer(self, token: Self.timerToken)
        self.timer = timer
        session.worker.reactor.arm(timer, at: deadline)
    }

    func handle(_ token: Int) {
        if isOver { return }
        do throws(SessionEnd) {
            if token == Self.timerToken { throw .loginTimedOut }
            try checkProxy()
            while try input.read(from: session.transport, by: session.worker.buffer) {
                if try readHeader() { return }
            }
        } catch {
            session.end(error)
        }
    }

    private func checkProxy() throws(SessionEnd) {
        let proxies = session.listener.settings.proxies
        let address = IPNetwork.Address(session.transport.peer.host)
        guard let address, proxies.contains(where: { $0.network.contains(address) }) else {
            throw .cutOff("\(session.transport.peer.host) is not among the addresses of proxy_protocol")
        }
    }

    /// True: the login has begun.
    private func readHeader() throws(SessionEnd) -> Bool {
        switch ProxyHeader.read(input.bytes) {
        case .needMore: return false
        case .invalid(let reason, let place):
            throw .cutOff("PROXY protocol: \(reason) (byte \(place))")
        case .header(let header):
            input.remove(header.length)
            leave()
            let proxy = session.transport.peer
            if let client = header.client { session.transport.peer = client }
            session.beginLogin(input, until: deadline, by: proxy)
            return true
        }
    }

    @discardableResult func leave() -> OutputQueue {
        isOver = true
        if let timer { session.worker.reactor.disarm(timer) }
        // It holds on to this stage.
        timer = nil
        return OutputQueue()
    }

    func stop() { session.end(.shutdown) }
    func abort() { session.end(.shutdown) }
}
