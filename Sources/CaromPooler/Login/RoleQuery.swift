// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Synchronization

/// What a server has answered to the `hba_role_query`.
enum RoleQueryAnswer: Equatable, Sendable {
    /// The roles that a user is a member of; none for one that the server does not know.
    case roles(Set<String>)
    /// The server could not be asked.
    case failed(String)

    /// - Parameter rows: of the result, each as its cells; nil is SQL's null.
    init(_ rows: [[String?]]) {
        var roles: Set<String> = []
        for row in rows {
            guard row.count == 1 else {
                self = .failed("the query must have one column, names of roles; it has \(row.count)")
                return
            }
            if let role = row[0] { roles.insert(role) }
        }
        self = .roles(roles)
    }

    /// What failed is asked again.
    var isKept: Bool { if case .failed = self { false } else { true } }
}

/// Asks servers for the roles of users, for lines of the `hba_file`.
final class RoleQuery: Sendable {
    /// Told of an answer, from any thread.
    typealias Waiter = @Sendable (RoleQueryAnswer) -> Void

    let inquiry: ServerInquiry
    private let cache = Mutex(
        LookupCache<String, RoleQueryAnswer, Waiter>(
            lifetime: ServerInquiry.lifetime, limit: ServerInquiry.limit))

    init(_ inquiry: ServerInquiry) { self.inquiry = inquiry }

    /// The roles of a user, if they are known; else `waiter` is told, and `spawn` runs what asks the server.
    func find(
        _ user: String, spawn: (@escaping @Sendable () async -> Void) -> Void, then waiter: @escaping Waiter
    ) -> RoleQueryAnswer? {
        switch cache.withLock({ $0.find(user, at: .now, waiter) }) {
        case .known(let answer): return answer
        case .wait: break
        case .ask:
            spawn { [self] in
                let answer = await ask(user)
                let waiters = cache.withLock {
                    $0.learned(answer, of: user, at: .now, keeping: answer.isKept)
                }
                for waiter in waiters { waiter(answer) }
            }
        }
        return nil
    }

    private func ask(_ user: String) async -> RoleQueryAnswer {
        do {
            return RoleQueryAnswer(try await inquiry.ask(about: user))
        } catch {
            return .failed("\(error)")
        }
    }
}
