// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ResolveMachine {
    /// Starts what is due and asks the next server where one is too silent.
    mutating func askDue(now: Duration) -> [ResolveAction] {
        guard queries.count < settings.maxQueries else { return [] }
        var actions: [ResolveAction] = []
        var due: [(time: Duration, number: Int, subject: ResolveSubject)] = []
        for (subject, entry) in entries {
            switch entry.phase {
            case .resting(let until) where until <= now: due.append((until, entry.number, subject))
            case .asking(let round):
                if let next = round.nextAsk, next <= now { due.append((next, entry.number, subject)) }
            case .resting, .readingHosts: break
            }
        }
        // Longest overdue first.
        due.sort { ($0.time, $0.number) < ($1.time, $1.number) }
        for (_, _, subject) in due {
            guard queries.count < settings.maxQueries else { break }
            switch entries[subject]?.phase {
            case .resting:
                if let host = hostsFileName(subject) {
                    if !isReadingHosts { actions.append(.readHosts(host)) }
                    entries[subject]?.phase = .readingHosts
                } else {
                    actions += beginAsking(subject, now: now)
                }
            case .asking: actions += askNext(subject, now: now)
            case .readingHosts, nil: break
            }
        }
        return actions
    }

    /// Starts a round with all servers, the preferred one first.
    mutating func beginAsking(_ subject: ResolveSubject, now: Duration) -> [ResolveAction] {
        guard let entry = entries[subject] else { return [] }
        guard !servers.isEmpty else {
            entries[subject]?.phase = .resting(until: now + settings.retryDelay.lowerBound)
            return []
        }
        let round = ResolveRound(name: entry.names[0], remaining: attemptOrder)
        entries[subject]?.phase = .asking(round)
        return askNext(subject, now: now)
    }

    /// Asks the next server of the round, if it is not being asked already.
    mutating func askNext(_ subject: ResolveSubject, now: Duration) -> [ResolveAction] {
        guard var entry = entries[subject], case .asking(var round) = entry.phase else { return [] }
        let busy = Set(round.inFlight.compactMap { queries[$0]?.server })
        var actions: [ResolveAction] = []
        round.nextAsk = nil
        if let server = round.remaining.first, !busy.contains(server) {
            round.remaining.removeFirst()
            let question = DNSQuestion(name: round.name, type: entry.type)
            let id = makeQuery(Query(subject: subject, question: question, server: server, askedAt: now))
            round.inFlight.append(id)
            actions.append(.ask(id, question, server))
            actions.append(.report(.asked(question: question.description, server: server)))
            if let next = round.remaining.first, next != server, !busy.contains(next) {
                round.nextAsk = now + settings.patience
            }
        }
        entry.phase = .asking(round)
        entries[subject] = entry
        return actions
    }

    /// Takes in one query's result.
    mutating func conclude(
        _ query: Query, _ id: QueryID, _ result: QueryResult, now: Duration
    ) -> [ResolveAction] {
        let elapsed = now - query.askedAt
        let text = query.question.description
        func failed(_ reason: String) -> ResolveAction {
            .report(.failed(question: text, server: query.server, reason: reason, elapsed: elapsed))
        }
        switch result {
        case .timedOut:
            return [failed("timed out")] + attemptFailed(query, id, "timed out", isSilence: true, now: now)
        case .unreachable(let reason):
            return [failed(reason)] + attemptFailed(query, id, reason, isSilence: false, now: now)
        case .malformed(let error):
            let reason = "malformed answer (\(error))"
            return [failed(reason)] + attemptFailed(query, id, reason, isSilence: false, now: now)
        case .message(let message):
            switch message.finding(for: query.question) {
            case .failure(let reason):
                return [failed(reason)] + attemptFailed(query, id, reason, isSilence: false, now: now)
            case .alias(let target):
                return follow(query, id, to: target, now: now)
            case .nothing(let nameExists, let ttl):
                let note = DNSEvent.negative(
                    question: text, server: query.server, nameExists: nameExists, elapsed: elapsed)
                return [.report(note)] + acceptNothing(query, id, ttl: ttl, now: now)
            case .records(let records, let ttl):
                let note = DNSEvent.answered(
                    question: text, server: query.server, records: records.count,
                    timeToLive: .seconds(Int64(ttl)), elapsed: elapsed)
                let actions = endRound(query.subject, except: id)
                prefer(query.server)
                entries[query.subject]?.answeredBy = query.server.description
                accept(records, also: message.additionals, for: query.subject, ttl: ttl, now: now)
                return [.report(note)] + actions
            }
        }
    }

    /// A silent server may be asked again; one that gave a useless answer is left out for this round.
    private mutating func attemptFailed(
        _ query: Query, _ id: QueryID, _ reason: String, isSilence: Bool, now: Duration
    ) -> [ResolveAction] {
        guard case .asking(var round) = entries[query.subject]?.phase else { return [] }
        round.inFlight.removeAll { $0 == id }
        round.lastFailure = reason
        if !isSilence { round.remaining.removeAll { $0 == query.server } }
        entries[query.subject]?.phase = .asking(round)
        if round.remaining.isEmpty && round.inFlight.isEmpty {
            return roundFailed(query.subject, query.question, now: now)
        }
        return askNext(query.subject, now: now)
    }

    private mutating func roundFailed(
        _ subject: ResolveSubject, _ question: DNSQuestion, now: Duration
    ) -> [ResolveAction] {
        guard var entry = entries[subject] else { return [] }
        entry.failures += 1
        if case .asking(let round) = entry.phase { entry.lastFailure = round.lastFailure }
        hasChanged = hasChanged || !entry.isSettled
        entry.isSettled = true
        let doublings = min(entry.failures - 1, 20)
        let wait = min(settings.retryDelay.lowerBound * (1 << doublings), settings.retryDelay.upperBound)
        entry.phase = .resting(until: now + stretched(wait))
        entries[subject] = entry
        guard entry.failures == 3 else { return [] }
        return [.report(.stale(question: question.description, age: entry.lastAnswer.map { now - $0 }))]
    }

    /// The server named an alias without its records: ask for those, within limits.
    private mutating func follow(
        _ query: Query, _ id: QueryID, to target: DNSName, now: Duration
    ) -> [ResolveAction] {
        guard case .asking(let round) = entries[query.subject]?.phase else { return [] }
        guard round.hops < 8 else {
            return attemptFailed(query, id, "too many aliases", isSilence: false, now: now)
        }
        prefer(query.server)
        return restart(query, id, candidate: round.candidate, name: target, hops: round.hops + 1, now: now)
    }

    private mutating func acceptNothing(
        _ query: Query, _ id: QueryID, ttl: UInt32?, now: Duration
    ) -> [ResolveAction] {
        guard let entry = entries[query.subject], case .asking(let round) = entry.phase else { return [] }
        prefer(query.server)
        let next = round.candidate + 1
        if next < entry.names.count {
            return restart(query, id, candidate: next, name: entry.names[next], hops: 0, now: now)
        }
        let actions = endRound(query.subject, except: id)
        let wait = ttl.map { Duration.seconds(Int64($0)) } ?? settings.negativeTimeToLive
        switch query.subject {
        case .service: acceptServices([], ttl: wait, now: now)
        case .addresses: acceptAddresses(query.subject, [], ttl: wait, now: now)
        }
        return actions
    }

    /// The same round goes on with another name, and with all servers again.
    private mutating func restart(
        _ query: Query, _ id: QueryID, candidate: Int, name: DNSName, hops: Int, now: Duration
    ) -> [ResolveAction] {
        var actions = endRound(query.subject, except: id)
        let round = ResolveRound(candidate: candidate, name: name, hops: hops, remaining: attemptOrder)
        entries[query.subject]?.phase = .asking(round)
        actions += askNext(query.subject, now: now)
        return actions
    }

    /// Drops the other queries of the subject's round.
    mutating func endRound(_ subject: ResolveSubject, except kept: QueryID?) -> [ResolveAction] {
        guard case .asking(let round) = entries[subject]?.phase else { return [] }
        return round.inFlight.filter { $0 != kept }.map { id in
            queries[id] = nil
            return .drop(id)
        }
    }

    private var attemptOrder: [DNSServer] {
        (0..<settings.tries).flatMap { _ in servers }
    }

    private var isReadingHosts: Bool {
        entries.values.contains { entry in
            if case .readingHosts = entry.phase { return true }
            return false
        }
    }

    /// The name to look for in the hosts file, if that comes before asking for this subject.
    private func hostsFileName(_ subject: ResolveSubject) -> String? {
        guard settings.readsHostsFile, case .host(let text, let names, _) = settings.root,
            case .addresses(let name, _) = subject, name == names[0]
        else { return nil }
        return text
    }
}
