// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

#if PAM
    import CCaromPAM
#endif

/// Something beside the configuration and the servers that knows passwords. It may take as long as it likes to say what it thinks of one.
enum PasswordService: Hashable, Sendable {
    /// A service of PAM, by its name.
    case pam(String)
    /// Servers of LDAP.
    case ldap(LDAPService)

    /// That of a route; nil if its passwords are known otherwise.
    init?(of route: RouteSettings) {
        if let name = route.pamService {
            self = .pam(name)
        } else if let service = route.ldapService {
            self = .ldap(service)
        } else {
            return nil
        }
    }

    /// Has it check a password. The thread waits.
    ///
    /// - Parameters:
    ///   - password: ends with a zero byte.
    ///   - host: where the client comes from; nil if that is this machine's Unix socket.
    ///   - doubts: which servers of LDAP have not answered lately.
    ///   - isWanted: whether somebody still waits for the verdict.
    func verdict(
        on password: UnsafePointer<CChar>, of user: String, from host: String?, _ doubts: LDAPDoubts,
        ifWanted isWanted: @escaping () -> Bool
    ) -> PasswordVerdict {
        switch self {
        case .pam(let name):
            #if PAM
                Self.ask(name, password, user, host)
            #else
                .unavailable("PAM service \"\(name)\": this build has no PAM")
            #endif
        case .ldap(let service):
            #if LDAP
                Self.ask(service, password, user, doubts, isWanted)
            #else
                .unavailable("LDAP \(service.servers ?? ""): this build has none")
            #endif
        }
    }

    #if LDAP
        private static func ask(
            _ service: LDAPService, _ password: UnsafePointer<CChar>, _ user: String, _ doubts: LDAPDoubts,
            _ isWanted: @escaping () -> Bool
        ) -> PasswordVerdict {
            var check = LDAPCheck(service, doubts, ifWanted: isWanted)
            return check.verdict(on: password, of: user)
        }
    #endif

    #if PAM
        private static func ask(
            _ name: String, _ password: UnsafePointer<CChar>, _ user: String, _ host: String?
        ) -> PasswordVerdict {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
                guard let start = reason.baseAddress else { return .unavailable("no room for a reason") }
                start.pointee = 0
                let verdict = carom_pam_check(name, user, password, host, start, reason.count)
                if verdict == CAROM_PAM_ACCEPTED { return .accepted }
                let words = "PAM service \"\(name)\": \(String(cString: start))"
                return verdict == CAROM_PAM_REFUSED ? .refused(words) : .unavailable(words)
            }
        }
    #endif
}

/// What a service thinks of a password.
enum PasswordVerdict: Equatable, Sendable {
    case accepted
    /// Why, for the log.
    case refused(String)
    /// It could not be asked.
    case unavailable(String)
}
