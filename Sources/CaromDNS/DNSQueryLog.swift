// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Logging

/// Where a resolver reports its questions, answers, their timing and what it makes of them.
public struct DNSQueryLog: Sendable {
    private let receive: @Sendable (DNSEvent) -> Void

    /// Calls `receive` for every event, in order, on the resolver's event loop: be quick, and do not wait there.
    public init(_ receive: @escaping @Sendable (DNSEvent) -> Void) {
        self.receive = receive
    }

    /// Writes to a logger: questions and answers at `trace`, changes at `debug`, staleness and trouble at `warning`.
    public static func logging(to logger: Logger) -> DNSQueryLog {
        DNSQueryLog { event in
            switch event {
            case .asked, .answered, .negative, .foundInHostsFile: logger.trace("dns: \(event)")
            case .failed, .published, .serversChanged: logger.debug("dns: \(event)")
            case .stale, .expired, .trouble: logger.warning("dns: \(event)")
            }
        }
    }

    func record(_ event: DNSEvent) {
        receive(event)
    }
}

extension DNSEvent: CustomStringConvertible {
    /// One line for people.
    public var description: String {
        switch self {
        case .asked(let question, let server): "asked \(server) for \(question)"
        case .answered(let question, let server, let records, let timeToLive, let elapsed):
            "\(server) has \(records) records for \(question), for \(timeToLive), after \(elapsed)"
        case .negative(let question, let server, let nameExists, let elapsed):
            "\(server) has \(nameExists ? "no such records" : "no such name") for \(question), after \(elapsed)"
        case .failed(let question, let server, let reason, let elapsed):
            "\(server) failed for \(question): \(reason), after \(elapsed)"
        case .foundInHostsFile(let addresses): "the hosts file has \(addresses) addresses"
        case .published(let backends): "published \(backends) backends"
        case .stale(let question, let age):
            "three refreshes of \(question) have failed; "
                + (age.map { "the last answer is \($0) old" } ?? "there has been no answer")
        case .expired(let question, let age): "dropped the answer for \(question), which is \(age) old"
        case .serversChanged(let servers): "the nameservers are now \(servers)"
        case .trouble(let text): text
        }
    }
}
