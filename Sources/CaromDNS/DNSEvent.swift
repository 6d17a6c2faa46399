// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Something the resolver did or learned. Names and addresses are as sent and received; there are no secrets in DNS.
@nonexhaustive
public enum DNSEvent: Hashable, Sendable {
    /// A question, such as `db1.example.com A`, was sent.
    case asked(question: String, server: DNSServer)
    /// Records came; `timeToLive` is the smallest among them, before clamping.
    case answered(question: String, server: DNSServer, records: Int, timeToLive: Duration, elapsed: Duration)
    /// A definite "no such records" came; `nameExists` tells NODATA from NXDOMAIN.
    case negative(question: String, server: DNSServer, nameExists: Bool, elapsed: Duration)
    /// One attempt came to nothing: silence, refusal, or an unusable answer.
    case failed(question: String, server: DNSServer, reason: String, elapsed: Duration)
    /// The hosts file answered for the host name.
    case foundInHostsFile(addresses: Int)
    /// A set of so many backends was handed to the pool.
    case published(backends: Int)
    /// Three refreshes in a row have failed; what is used is this old (nil: nothing was ever found).
    case stale(question: String, age: Duration?)
    /// Answers older than `maxStale` were dropped.
    case expired(question: String, age: Duration)
    /// The nameservers found through DNS have changed.
    case serversChanged([DNSServer])
    /// The nameservers could not be set up, or the system refused a socket.
    case trouble(String)
}
