// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if LDAP
    import CaromConfiguration
    import CaromReactor
    import CCaromLDAP
    import Glibc

    /// Has servers of LDAP check one password: at one address after the other, until there is an answer.
    struct LDAPCheck {
        /// For all that is asked at one address. A thread is kept waiting no longer by one that says nothing.
        private static let patience: Int32 = 5000

        private let service: LDAPService
        private let doubts: LDAPDoubts
        private let isWanted: () -> Bool
        /// Why there was no answer so far.
        private var troubles: [String] = []

        /// - Parameter isWanted: whether somebody still waits for the verdict.
        init(_ service: LDAPService, _ doubts: LDAPDoubts, ifWanted isWanted: @escaping () -> Bool) {
            self.service = service
            self.doubts = doubts
            self.isWanted = isWanted
        }

        /// The thread waits.
        ///
        /// - Parameter password: ends with a zero byte.
        mutating func verdict(on password: UnsafePointer<CChar>, of user: String) -> PasswordVerdict {
            if password.pointee == 0 { return .refused("LDAP: the password is empty") }
            let question: LDAPQuestion
            do throws(LDAPQuestion.Refusal) { question = try LDAPQuestion(service, about: user) } catch {
                return .refused(error.reason)
            }
            let doubtful = doubts.current(at: .now)
            var later: [(LDAPServer, LDAPPlace)] = []
            for server in servers {
                let whole = LDAPPlace(uri: uri(of: server), address: nil)
                let places = doubtful.contains(whole) ? [whole] : places(of: server)
                for place in places {
                    if doubtful.contains(place) {
                        later.append((server, place))
                    } else if let verdict = ask(place, question, password) {
                        return verdict
                    }
                }
            }
            for (server, place) in later {
                for place in place.address == nil ? places(of: server) : [place] {
                    if let verdict = ask(place, question, password) { return verdict }
                }
            }
            if troubles.isEmpty { return .unavailable("LDAP: there is no server") }
            return .unavailable(troubles.joined(separator: "; "))
        }

        private var servers: [LDAPServer] {
            if !service.addresses.isEmpty { return service.addresses }
            guard let list = carom_ldap_discover(service.base ?? "") else { return [] }
            defer { free(list) }
            return String(cString: list).split(separator: " ").compactMap { LDAPServer($0) }
        }

        private func uri(of server: LDAPServer) -> String { "\(service.scheme.rawValue)://\(server)" }

        /// All addresses of a server's name.
        private mutating func places(of server: LDAPServer) -> [LDAPPlace] {
            let uri = uri(of: server)
            guard let port = UInt16(exactly: server.port) else {
                troubles.append("LDAP \(uri): there is no such port")
                return []
            }
            do throws(SystemError) {
                return try SocketAddress.lookUp(server.host, port: port).map {
                    LDAPPlace(uri: uri, address: $0)
                }
            } catch {
                let reason = "LDAP \(uri): \(error)"
                doubts.add(LDAPPlace(uri: uri, address: nil), because: reason, at: .now)
                troubles.append(reason)
                return []
            }
        }

        /// Nil if there was no answer.
        private mutating func ask(
            _ place: LDAPPlace, _ question: LDAPQuestion, _ password: UnsafePointer<CChar>
        ) -> PasswordVerdict? {
            guard isWanted() else { return .unavailable("nobody waits for LDAP any more") }
            switch LDAPDialogue(place, service).verdict(on: question, password) {
            case .unavailable(let reason):
                doubts.add(place, because: reason, at: .now)
                troubles.append(reason)
                return nil
            case .accepted:
                doubts.remove(place)
                return .accepted
            case .refused(let reason):
                doubts.remove(place)
                return .refused((troubles + [reason]).joined(separator: "; "))
            }
        }

        /// What is asked at one address, on a connection of its own.
        private struct LDAPDialogue {
            private let place: LDAPPlace
            private let service: LDAPService

            init(_ place: LDAPPlace, _ service: LDAPService) {
                self.place = place
                self.service = service
            }

            func verdict(on question: LDAPQuestion, _ password: UnsafePointer<CChar>) -> PasswordVerdict {
                guard let connection = carom_ldap_open(LDAPCheck.patience) else {
                    return .unavailable("\(place): no memory")
                }
                defer { carom_ldap_close(connection) }
                /// Nil if the step is done.
                func trouble(_ outcome: carom_ldap_outcome, isAboutUser: Bool) -> PasswordVerdict? {
                    if outcome == CAROM_LDAP_DONE { return nil }
                    let words = "\(place): \(String(cString: carom_ldap_reason(connection)))"
                    return outcome == CAROM_LDAP_REFUSED && isAboutUser
                        ? .refused(words) : .unavailable(words)
                }
                do throws(SystemError) {
                    let outcome = try place.address?.withSockaddr { address, length in
                        carom_ldap_connect(connection, place.uri, address, length)
                    }
                    if let outcome, let end = trouble(outcome, isAboutUser: false) { return end }
                } catch {
                    return .unavailable("\(place): \(error)")
                }
                if service.startsTLS, let end = trouble(carom_ldap_start_tls(connection), isAboutUser: false)
                {
                    return end
                }
                switch question {
                case .name(let name):
                    return trouble(carom_ldap_bind(connection, name, password), isAboutUser: true)
                        ?? .accepted
                case .entry(let base, let filter):
                    // Without either, nobody in particular looks for the entry: that needs no bind.
                    if service.bindName != nil || service.bindPassword != nil {
                        let secret = service.bindPassword?.reveal() ?? ""
                        let outcome = carom_ldap_bind(connection, service.bindName ?? "", secret)
                        if let end = trouble(outcome, isAboutUser: false) { return end }
                    }
                    let outcome = carom_ldap_find(connection, base, service.scope.number, filter)
                    return trouble(outcome, isAboutUser: true)
                        ?? trouble(carom_ldap_bind(connection, nil, password), isAboutUser: true)
                        ?? .accepted
                }
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
