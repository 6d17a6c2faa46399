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
        /// Each is asked once, however often it is named.
        private var asked: Set<LDAPPlace> = []
        /// What was looked up so far.
        private var known: [LDAPServer: [LDAPPlace]] = [:]

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
            let servers = servers
            // Those in doubt have their turn behind all others.
            for isLastTurn in [false, true] {
                for server in servers {
                    for place in places(of: server, isLastTurn) where mayAsk(place, isLastTurn) {
                        if let verdict = ask(place, question, password) { return verdict }
                    }
                }
            }
            if troubles.isEmpty { return .unavailable("LDAP: there is no server") }
            return .unavailable(troubles.joined(separator: "; "))
        }

        private func mayAsk(_ place: LDAPPlace, _ isLastTurn: Bool) -> Bool {
            !asked.contains(place) && (isLastTurn || doubts.mayAsk(place, at: .now))
        }

        private var servers: [LDAPServer] {
            if !service.addresses.isEmpty { return service.addresses }
            guard let list = carom_ldap_discover(service.base ?? "") else { return [] }
            defer { free(list) }
            return String(cString: list).split(separator: " ").compactMap { LDAPServer($0) }
        }

        private func uri(of server: LDAPServer) -> String { "\(service.scheme.rawValue)://\(server)" }

        /// All addresses of a server's name; none if it is not its turn to be looked up.
        private mutating func places(of server: LDAPServer, _ isLastTurn: Bool) -> [LDAPPlace] {
            if let known = known[server] { return known }
            let name = LDAPPlace(uri: uri(of: server), address: nil)
            guard mayAsk(name, isLastTurn) else { return [] }
            var places: [LDAPPlace] = []
            do throws(SystemError) {
                guard let port = UInt16(exactly: server.port) else {
                    throw SystemError(code: EINVAL, operation: "connect to port \(server.port)")
                }
                places = try SocketAddress.lookUp(server.host, port: port).map {
                    LDAPPlace(uri: name.uri, address: $0)
                }
                doubts.remove(name)
            } catch {
                note(name, "\(name): \(error)")
            }
            known[server] = places
            return places
        }

        /// Nil if there was no answer that says anything of the user.
        private mutating func ask(
            _ place: LDAPPlace, _ question: LDAPQuestion, _ password: UnsafePointer<CChar>
        ) -> PasswordVerdict? {
            guard isWanted() else { return .unavailable("nobody waits for LDAP any more") }
            asked.insert(place)
            switch LDAPDialogue(place, service).answer(to: question, password) {
            case .verdict(.unavailable(let reason)):
                doubts.remove(place)
                troubles.append(reason)
                return nil
            case .verdict(let verdict):
                doubts.remove(place)
                guard case .refused(let reason) = verdict else { return verdict }
                return .refused((troubles + [reason]).joined(separator: "; "))
            case .silence(let reason):
                note(place, reason)
                return nil
            }
        }

        private mutating func note(_ place: LDAPPlace, _ reason: String) {
            doubts.add(place, because: reason, at: .now)
            troubles.append(reason)
        }

        /// What came of a connection.
        private enum Answer {
            case verdict(PasswordVerdict)
            /// Nothing came, for this reason.
            case silence(String)
        }

        /// What is asked at one address, on a connection of its own.
        private struct LDAPDialogue {
            private let place: LDAPPlace
            private let service: LDAPService

            init(_ place: LDAPPlace, _ service: LDAPService) {
                self.place = place
                self.service = service
            }

            func answer(to question: LDAPQuestion, _ password: UnsafePointer<CChar>) -> Answer {
                guard let connection = carom_ldap_open(LDAPCheck.patience) else {
                    return .verdict(.unavailable("\(place): no memory"))
                }
                defer { carom_ldap_close(connection) }
                /// Nil if the step is done.
                func end(_ outcome: carom_ldap_outcome, isAboutUser: Bool = false) -> Answer? {
                    let words = "\(place): \(String(cString: carom_ldap_reason(connection)))"
                    switch outcome {
                    case CAROM_LDAP_DONE: return nil
                    case CAROM_LDAP_SILENT: return .silence(words)
                    case CAROM_LDAP_REFUSED where isAboutUser: return .verdict(.refused(words))
                    default: return .verdict(.unavailable(words))
                    }
                }
                do throws(SystemError) {
                    let outcome = try place.address?.withSockaddr { address, length in
                        carom_ldap_connect(connection, place.uri, address, length)
                    }
                    if let outcome, let end = end(outcome) { return end }
                } catch {
                    return .silence("\(place): \(error)")
                }
                if service.startsTLS, let end = end(carom_ldap_start_tls(connection)) { return end }
                switch question {
                case .name(let name):
                    return end(carom_ldap_bind(connection, name, password), isAboutUser: true)
                        ?? .verdict(.accepted)
                case .entry(let base, let filter):
                    // Without either, nobody in particular looks for the entry: that needs no bind.
                    if service.bindName != nil || service.bindPassword != nil {
                        let secret = service.bindPassword?.reveal() ?? ""
                        let outcome = carom_ldap_bind(connection, service.bindName ?? "", secret)
                        if let end = end(outcome) { return end }
                    }
                    let outcome = carom_ldap_find(connection, base, service.scope.number, filter)
                    return end(outcome, isAboutUser: true)
                        ?? end(carom_ldap_bind(connection, nil, password), isAboutUser: true)
                        ?? .verdict(.accepted)
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
