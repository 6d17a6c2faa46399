// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

@testable import CaromDNS

/// Runs a machine in virtual time against scripted nameservers.
final class MachineRig {
    enum Reply {
        /// Comes after the delay.
        case answer(MessageWriter, after: Duration = .milliseconds(20))
        case result(QueryResult, after: Duration = .milliseconds(20))
        /// The question times out.
        case silence
    }

    struct Ask {
        let time: Duration
        let question: String
        let server: DNSServer
    }

    struct Publication {
        let time: Duration
        let set: BackendSet

        var addresses: [String] { self.set.backends.map(\.address.description) }
    }

    var machine: ResolveMachine
    var now: Duration = .zero
    var asks: [Ask] = []
    var publications: [Publication] = []
    var events: [DNSEvent] = []
    var hosts = ""
    /// What nameservers say; by default everything is refused.
    var script: (DNSQuestion, DNSServer, Duration) -> Reply
    private var pending: [(time: Duration, id: QueryID, result: QueryResult)] = []
    private let timeout: Duration

    init(
        _ subject: DNSConfiguration.Subject = .service("_pg._tcp.example.com"),
        servers: [DNSServer] = [server("192.0.2.53")], seed: UInt64 = 1, search: SearchList = SearchList(),
        configure: (inout DNSConfiguration) -> Void = { _ in },
        script: @escaping (DNSQuestion, DNSServer, Duration) -> Reply
    ) throws {
        var configuration = DNSConfiguration(subject, servers: .fixed([server("192.0.2.53")]))
        configure(&configuration)
        machine = ResolveMachine(
            try ResolveSettings(configuration, search: search), servers: servers, seed: seed)
        timeout = configuration.timeout
        self.script = script
        perform(machine.start(now: now))
    }

    var latest: [String] { publications.last?.addresses ?? [] }

    /// Lets time pass, handling everything due on the way.
    func run(until end: Duration) {
        while true {
            let wake = machine.nextWake(now: now)
            let answer = pending.map(\.time).min()
            guard let next = [wake, answer].compactMap({ $0 }).min(), next <= end else { break }
            precondition(next >= now || wake == next, "time does not go backwards")
            now = max(now, next)
            if let index = pending.firstIndex(where: { $0.time <= now }) {
                let (_, id, result) = pending.remove(at: index)
                perform(machine.received(result, for: id, now: now))
            } else {
                perform(machine.tick(now: now))
                precondition(machine.nextWake(now: now).map { $0 > now } ?? true, "the machine would spin")
            }
        }
        now = end
    }

    func perform(_ actions: [ResolveAction]) {
        for action in actions {
            switch action {
            case .ask(let id, let question, let server):
                asks.append(Ask(time: now, question: question.description, server: server))
                switch script(question, server, now) {
                case .answer(let writer, let delay):
                    pending.append((now + delay, id, .message(writer.message)))
                case .result(let result, let delay): pending.append((now + delay, id, result))
                case .silence: pending.append((now + timeout, id, .timedOut))
                }
            case .drop(let id): pending.removeAll { $0.id == id }
            case .readHosts(let host):
                perform(machine.foundHosts(HostsFile.addresses(of: host, in: hosts), now: now))
            case .publish(let set): publications.append(Publication(time: now, set: set))
            case .report(let event): events.append(event)
            }
        }
    }

    func times(of question: String) -> [Duration] { asks.filter { $0.question == question }.map(\.time) }
}

/// A small zone that answers like an authoritative server.
struct Zone {
    var records: [DNSRecord] = []
    var minimum: UInt32 = 60
    var addsAddresses = false

    func answer(_ question: DNSQuestion) -> MessageWriter {
        let owned = records.filter { $0.name == question.name }
        guard !owned.isEmpty else { return MessageWriter(question, code: 3, minimum: minimum) }
        let fitting = owned.filter { $0.content.type == question.type || $0.content.type == .cname }
        guard !fitting.isEmpty else { return MessageWriter(question, code: 0, minimum: minimum) }
        var writer = MessageWriter(question, fitting)
        if addsAddresses {
            let targets = fitting.compactMap { record -> DNSName? in
                if case .service(let service) = record.content { return service.target }
                return nil
            }
            writer.additionals = records.filter {
                targets.contains($0.name) && ($0.content.type == .a || $0.content.type == .aaaa)
            }
        }
        return writer
    }

    /// A service with hosts `db1`, `db2`, … at 192.0.2.1, 192.0.2.2, ….
    static func service(hosts: [Int], ttl: UInt32 = 60) -> Zone {
        var zone = Zone()
        for host in hosts {
            zone.records.append(
                CaromDNSTests.service("_pg._tcp.example.com", "db\(host).example.com", ttl: ttl))
            zone.records.append(address("db\(host).example.com", "192.0.2.\(host)", ttl: ttl))
        }
        return zone
    }
}
