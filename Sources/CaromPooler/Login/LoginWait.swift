// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import Synchronization

/// What must happen in a login before the client's next message counts. Indirect, because most logins wait for nothing and look all the
/// same whether they do.
indirect enum LoginWait {
    /// Something is being found out that the lines of the `hba_file` want to know.
    case facts(LoginCaller)
    /// A server is asked what the client is to be checked against.
    case secret(LoginArrival)
    /// Keys are being made.
    case keys(LoginDerivation)
    /// A service is asked about the password.
    case verdict(PasswordConsultation)
    /// It is told later that it has failed (`auth_delay`).
    case delay(LoginExchange)
}

/// News of what a login waits for.
enum LoginNews: Sendable {
    case roles(RoleQueryAnswer)
    case host(HostAccessFacts.Host)
    case secret(AuthQueryFinding)
    case keys(SCRAMKeys)
    case verdict(PasswordVerdict)
}

extension LoginWait {
    /// Whether nobody needs what is waited for once the client is gone. One that has failed is told at its time, whatever it does: else it
    /// could shorten the delay by closing its side.
    var isInVain: Bool { if case .delay = self { false } else { true } }

    /// Nobody waits any more: what has not begun need not.
    func abandon() {
        switch self {
        case .keys(let derivation): derivation.isAbandoned.set()
        case .verdict(let consultation): consultation.end()
        case .facts, .secret, .delay: break
        }
    }
}

/// A client that has said who it wants to be.
final class LoginCaller {
    let startup: StartupMessage
    let packet: [UInt8]
    /// What was found out about it.
    var facts = HostAccessFacts()

    init(_ startup: consuming StartupMessage, packet: consuming [UInt8]) {
        self.startup = startup
        self.packet = packet
    }
}

/// One of which it is known what it has to go through.
struct LoginArrival {
    let caller: LoginCaller
    let definition: RouteDefinition?
    let authentication: ClientAuthentication
}

/// What is under way once the client is being asked.
final class LoginExchange {
    let caller: LoginCaller
    /// Nil where nobody may come by these names.
    let definition: RouteDefinition?
    var authenticator: any Authenticator
    /// What was asked for.
    let finding: AuthQueryFinding?
    /// Why a service has refused the client, for the log.
    var trouble: String?

    init(_ arrival: LoginArrival, _ authenticator: any Authenticator, _ finding: AuthQueryFinding?) {
        (caller, definition) = (arrival.caller, arrival.definition)
        (self.authenticator, self.finding) = (authenticator, finding)
    }
}

/// Keys that are being made for the client.
struct LoginDerivation {
    let what: SCRAMKeyDerivation
    let isAbandoned: AbandonFlag
}

/// Tells another thread that a client has gone.
final class AbandonFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}
