// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if LDAP
    import CaromConfiguration
    import CCaromLDAP
    import Glibc

    /// Has servers of LDAP check a password: one after the other, until one has said what it thinks.
    struct LDAPCheck {
        /// For all that one server is asked. A thread is kept waiting no longer by one that says nothing.
        private static let patience: Int32 = 5000

        private let service: LDAPService

        init(_ service: LDAPService) { self.service = service }

        /// The thread waits.
        ///
        /// - Parameter password: ends with a zero byte.
        func verdict(on password: UnsafePointer<CChar>, of user: String) -> PasswordVerdict {
            if password.pointee == 0 { return .refused("LDAP: the password is empty") }
            let question: LDAPQuestion
            do throws(LDAPQuestion.Refusal) { question = try LDAPQuestion(service, about: user) } catch {
                return .refused(error.reason)
            }
            var troubles: [String] = []
            for uri in uris {
                switch ask(uri, question, password) {
                case .accepted: return .accepted
                case .refused(let reason): return .refused((troubles + [reason]).joined(separator: "; "))
                case .unavailable(let reason): troubles.append(reason)
                }
            }
            if troubles.isEmpty { return .unavailable("LDAP: there is no server") }
            return .unavailable(troubles.joined(separator: "; "))
        }

        private var uris: [String] {
            let addresses =
                service.addresses.isEmpty ? Self.discovered(service.base ?? "") : service.addresses
            return addresses.map { "\(service.scheme.rawValue)://\($0)" }
        }

        private static func discovered(_ base: String) -> [String] {
            guard let list = carom_ldap_discover(base) else { return [] }
            defer { free(list) }
            return String(cString: list).split(separator: " ").map { String($0) }
        }

        private func ask(_ uri: String, _ question: LDAPQuestion, _ password: UnsafePointer<CChar>)
            -> PasswordVerdict
        {
            guard let connection = carom_ldap_open(uri, Self.patience) else {
                return .unavailable("LDAP \(uri): no memory")
            }
            defer { carom_ldap_close(connection) }
            /// Nil if the step is done.
            func trouble(_ outcome: carom_ldap_outcome, isAboutUser: Bool) -> PasswordVerdict? {
                if outcome == CAROM_LDAP_DONE { return nil }
                let words = "LDAP \(uri): \(String(cString: carom_ldap_reason(connection)))"
                return outcome == CAROM_LDAP_REFUSED && isAboutUser ? .refused(words) : .unavailable(words)
            }
            if service.startsTLS, let end = trouble(carom_ldap_start_tls(connection), isAboutUser: false) {
                return end
            }
            switch question {
            case .name(let name):
                return trouble(carom_ldap_bind(connection, name, password), isAboutUser: true) ?? .accepted
            case .entry(let base, let filter):
                // Without either, nobody in particular looks for the entry: that needs no bind.
                if service.bindName != nil || service.bindPassword != nil {
                    let secret = service.bindPassword?.reveal() ?? ""
                    let outcome = carom_ldap_bind(connection, service.bindName ?? "", secret)
                    if let end = trouble(outcome, isAboutUser: false) { return end }
                }
                let outcome = carom_ldap_find(connection, base, service.scope.number, filter)
                return trouble(outcome, isAboutUser: true)
                    ?? trouble(carom_ldap_bind(connection, nil, password), isAboutUser: true) ?? .accepted
            }
        }
    }

    extension LDAPService.Scope {
        /// That of the protocol.
        fileprivate var number: Int32 {
            switch self {
            case .base: 0
            case .one: 1
            case .sub: 2
            case .children: 3
            }
        }
    }
#endif
