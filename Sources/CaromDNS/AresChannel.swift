// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromAres
import Glibc

/// A c-ares channel to one nameserver. Confined to the thread of its event loop, like everything here.
///
/// One try per question: which server is asked next is the machine's decision. c-ares does the socket work: random ids
/// and ports, matching of answers, EDNS and its fallback, TCP after truncation. Sockets close when no question is under way.
final class AresChannel {
    /// Reports the readiness c-ares waits for on a descriptor; neither means it is about to be closed.
    private let interest: (_ descriptor: Int32, _ readable: Bool, _ writable: Bool) -> Void
    private var channel: ares_channel?

    /// "Not thread safe, before any other call": Swift's lazy initialisation takes care of both.
    private static let library = ares_library_init(ARES_LIB_INIT_ALL)

    /// The packet size that passes without fragments almost anywhere.
    private static let datagramSize: Int32 = 1232

    init(
        server: DNSServer, timeout: Duration,
        interest: @escaping (_ descriptor: Int32, _ readable: Bool, _ writable: Bool) -> Void
    ) throws(DNSError) {
        self.interest = interest
        guard Self.library == ARES_SUCCESS else { throw Self.error(Self.library, "cannot set up c-ares") }
        var options = ares_options()
        let (seconds, attoseconds) = timeout.components
        options.timeout = Int32(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        options.tries = 1
        // NOCHECKRESP: a SERVFAIL is an answer for the machine to judge.
        options.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES
        options.ednspsz = Self.datagramSize
        // Unretained: the callback comes only from calls on this channel, which ends with this object.
        options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        options.sock_state_cb = { raw, descriptor, readable, writable in
            guard let raw else { return }
            let channel = Unmanaged<AresChannel>.fromOpaque(raw).takeUnretainedValue()
            channel.interest(descriptor, readable != 0, writable != 0)
        }
        var lookups: [CChar] = [CChar(UInt8(ascii: "b")), 0]
        let mask =
            ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ
            | ARES_OPT_LOOKUPS
        let status = lookups.withUnsafeMutableBufferPointer { lookups in
            options.lookups = lookups.baseAddress
            return ares_init_options(&channel, &options, mask)
        }
        guard status == ARES_SUCCESS else { throw Self.error(status, "cannot make a c-ares channel") }
        let set = ares_set_servers_ports_csv(channel, server.description)
        guard set == ARES_SUCCESS else {
            close()
            throw Self.error(set, "c-ares does not take the nameserver \(server)")
        }
    }

    deinit {
        close()
    }

    /// Ends all questions, with a result each, and closes the sockets. Not from within a completion.
    func close() {
        guard let channel else { return }
        self.channel = nil
        ares_destroy(channel)
    }

    /// Asks. The completion is called exactly once, perhaps before this returns, unless the query is dropped before.
    func ask(_ question: DNSQuestion, _ completion: @escaping (QueryResult) -> Void) -> AresQuery {
        let query = AresQuery(completion)
        guard let channel else {
            query.finish(status: Int32(ARES_EDESTRUCTION), bytes: nil)
            return query
        }
        // Class 1 is the Internet's.
        ares_query(
            channel, question.name.description, 1, Int32(question.type.rawValue),
            { raw, status, _, bytes, length in
                guard let raw else { return }
                let query = Unmanaged<AresQuery>.fromOpaque(raw).takeRetainedValue()
                query.finish(
                    status: status, bytes: bytes.map { UnsafeRawBufferPointer(start: $0, count: Int(length)) }
                )
            }, Unmanaged.passRetained(query).toOpaque())
        return query
    }

    /// A descriptor is ready.
    func process(_ descriptor: Int32, readable: Bool, writable: Bool) {
        guard let channel else { return }
        ares_process_fd(
            channel, readable ? descriptor : ARES_SOCKET_BAD, writable ? descriptor : ARES_SOCKET_BAD)
    }

    /// Ends questions whose time is over.
    func processTimeouts() {
        guard let channel else { return }
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD)
    }

    /// How long until `processTimeouts` has something to do; nil if nothing is under way.
    var timeout: Duration? {
        guard let channel else { return nil }
        var time = timeval()
        guard ares_timeout(channel, nil, &time) != nil else { return nil }
        return .seconds(Int64(time.tv_sec)) + .microseconds(Int64(time.tv_usec))
    }

    private static func error(_ status: Int32, _ message: String) -> DNSError {
        let reason = ares_strerror(status).map { String(cString: $0) } ?? "status \(status)"
        return DNSError(.system, "\(message): \(reason)")
    }
}
