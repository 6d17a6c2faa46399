// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// What the logins of all workers share: where things are found out about clients, beside the workers, and which of them have failed.
final class LoginServices: Sendable {
    /// Makes keys that clients are checked by.
    let keyring = SCRAMKeyring(name: "client-keys")
    let failures: LoginFailures
    private let hostNames = HostNames()
    private let passwords: PasswordServices

    init(log: PoolerLog) {
        failures = LoginFailures(log: log)
        passwords = PasswordServices(log: log)
    }

    /// Finds out what a line of the `hba_file` wants to know of a client; nil: its login is told later. On its worker's thread.
    func find(_ fact: HostAccessFact, about session: ClientSession) throws(SessionEnd) -> LoginNews? {
        let (worker, owner) = (session.worker, session.owner)
        switch fact {
        case .roles:
            guard let question = worker.snapshot.roleQuestion else {
                return .roles(.failed("nobody is asked"))
            }
            return worker.router.inquiries.roles(question).find(
                session.user, spawn: worker.spawn, then: { worker.tell(owner, .roles($0)) }
            ).map { .roles($0) }
        case .hostName:
            guard let address = IPNetwork.Address(session.transport.peer.host) else {
                return .host(.nameless)
            }
            do throws(SystemError) {
                return try hostNames.find(address, then: { worker.tell(owner, .host($0)) }).map { .host($0) }
            } catch {
                throw .fatal(.internalError, "the name of the client's host cannot be looked up: \(error)")
            }
        }
    }

    /// Has a service say what it thinks of a client's password, which its login is told; nil if too many wait for it. On its worker's
    /// thread.
    func consult(_ inquiry: PasswordInquiry, about session: ClientSession) -> PasswordConsultation? {
        let (worker, owner, peer) = (session.worker, session.owner, session.transport.peer)
        return passwords.ask(inquiry, from: peer.isUnix ? nil : peer.host) { verdict in
            worker.reactor.call {
                if let session = worker.session(of: owner) { return session.receive(.verdict(verdict)) }
                // Whoever guesses, and goes before it is told, has failed.
                if case .refused = verdict { self.failures.count(from: peer, worker.snapshot.failureLimit) }
            }
        }
    }
}
