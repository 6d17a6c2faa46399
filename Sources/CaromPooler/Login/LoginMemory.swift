// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Glibc

/// The last few startup packets that came to a worker, with what they turned out to mean.
///
/// The connections of one program begin with the same bytes. Reading them, finding their route and comparing some fifty settings
/// with those that servers have accepted would be most of what a short connection costs. Whether the client may come in is
/// not remembered: limits and authentication are asked each time.
struct LoginMemory {
    /// What a startup packet means, as long as the snapshot, the route and its servers' defaults stay what they are.
    final class Entry {
        /// As it came.
        let packet: [UInt8]
        let startup: StartupMessage
        let definition: RouteDefinition
        let route: Route
        private let snapshot: Snapshot
        private let source: AcceptedParameters
        private let accepted: AcceptedParameters.Entry
        private let generation: Int

        init(
            packet: [UInt8], _ startup: StartupMessage, _ route: Route, _ snapshot: Snapshot,
            of source: AcceptedParameters, accepted: AcceptedParameters.Entry, generation: Int
        ) {
            self.packet = packet
            self.startup = startup
            definition = route.definition
            self.route = route
            self.snapshot = snapshot
            self.source = source
            self.accepted = accepted
            self.generation = generation
        }

        /// The definition is still that of the snapshot of now.
        func isTrue(of snapshot: Snapshot) -> Bool { snapshot === self.snapshot }

        /// The servers' defaults have not changed since.
        var isCurrent: Bool { source.generation == generation }

        /// The settings that a server has accepted; nil when a server must be asked again.
        func settings(at now: Deadline) -> AcceptedParameters.Entry? {
            isCurrent && source.isFresh(at: now) ? accepted : nil
        }
    }

    private var entries: [Entry] = []
    private var oldest = 0

    /// Programs of a worker's clients; each costs a comparison of bytes.
    private static var limit: Int { 8 }
    /// A longer packet is not worth keeping.
    private static var longestPacket: Int { 1_024 }

    /// What the first packet of `input` means, if it is known.
    func recall(_ input: [UInt8], in snapshot: Snapshot) -> Entry? {
        for entry in entries where input.starts(with: entry) && entry.isTrue(of: snapshot) { return entry }
        return nil
    }

    /// Remembers a packet in the place of the oldest one.
    mutating func remember(_ entry: Entry) {
        precondition(!entry.packet.isEmpty, "nothing begins with no packet, and everything with an empty one")
        if entry.packet.count > Self.longestPacket { return }
        if let known = entries.firstIndex(where: { $0.packet == entry.packet }) {
            entries[known] = entry
        } else if entries.count < Self.limit {
            entries.append(entry)
        } else {
            entries[oldest] = entry
            oldest = (oldest + 1) % Self.limit
        }
    }
}

extension [UInt8] {
    /// Whether these bytes begin with the packet.
    fileprivate func starts(with entry: LoginMemory.Entry) -> Bool {
        guard count >= entry.packet.count else { return false }
        return withUnsafeBytes { own in
            entry.packet.withUnsafeBytes { packet in
                memcmp(own.baseAddress!, packet.baseAddress!, packet.count) == 0
            }
        }
    }
}
