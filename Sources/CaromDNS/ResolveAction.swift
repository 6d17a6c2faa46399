// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// One question to one nameserver.
struct QueryID: Hashable, Sendable {
    let value: UInt64
}

/// What came of a query.
enum QueryResult: Equatable, Sendable {
    case message(DNSMessage)
    /// Bytes that are no DNS message.
    case malformed(DNSMessageError)
    case timedOut
    /// The server cannot be reached, or the query could not be sent.
    case unreachable(String)
}

/// What the machine wants done.
enum ResolveAction: Equatable, Sendable {
    /// Send a question, and report exactly one result unless it is dropped before.
    case ask(QueryID, DNSQuestion, DNSServer)
    /// The result is no longer of interest.
    case drop(QueryID)
    /// Read the hosts file and report the addresses of the name.
    case readHosts(String)
    /// Hand this complete set to whoever runs the resolver.
    case publish(BackendSet)
    /// Tell observers.
    case report(DNSEvent)
}
