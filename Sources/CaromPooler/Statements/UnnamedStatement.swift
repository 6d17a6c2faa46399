// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// What a client's unnamed statement is, and was, as long as the server may still refuse what changed it.
///
/// It lasts until the next Parse of it, its Close, or a simple query (PostgreSQL protocol, "Extended Query"). A Parse that fails takes
/// the old one with it; one that is skipped after a failure does not.
struct UnnamedStatement {
    private struct Version {
        /// Text, terminator, types; empty if there is none.
        var content: [UInt8] = []
        var effects = StatementEffects.none
        /// Which of the client's unnamed statements it is.
        var version: UInt64 = 0
        /// The number and the batch of the message that made it.
        var number: UInt64 = 0
        var batch: UInt64 = 0
        /// Simple queries end it, each unless one of the messages up to its number here fails: then the query is skipped.
        var endsBehind: [UInt64] = []
        /// Of a text that is longer than what every client may keep.
        var share: StatementMemory.Share?

        mutating func clear() {
            content.removeAll(keepingCapacity: content.capacity <= UnnamedStatement.keptCapacity)
            effects = .none
            if share != nil { share = nil }
            if !endsBehind.isEmpty { endsBehind = [] }
        }
    }

    private var current = Version()
    /// Those before it that may come back, oldest first.
    private var earlier: [Version] = []
    /// How many there were.
    private var count: UInt64 = 0

    /// Memory for a longer text is given back, and counts as long as it is there.
    static var keptCapacity: Int { 1_024 }

    var exists: Bool { !current.content.isEmpty }
    var content: [UInt8] { current.content }
    var effects: StatementEffects { current.effects }
    var version: UInt64 { current.version }

    /// Whether it shows only when an earlier batch is answered what it is.
    mutating func isOpen(_ flow: borrowing QueryFlow) -> Bool {
        if !current.endsBehind.isEmpty {
            if current.endsBehind.contains(where: { $0 <= flow.extendedDone }) {
                current.clear()
            } else {
                return true
            }
        }
        return current.number > flow.extendedDone && current.batch != flow.batch
    }

    /// The message that was sent last parses another, whose text is told by ``set(_:effects:)``, or closes it.
    mutating func replace(_ flow: borrowing QueryFlow) {
        if current.number < flow.extendedSent, current.number <= flow.extendedDone {
            // It cannot be refused any more, so what was before it does not come back.
            if earlier.count == 1 { swap(&earlier[0], &current) } else { earlier = [take()] }
        } else {
            earlier.append(take())
            // Of those that are answered the last can come back, and no other.
            let settled = earlier.dropFirst().prefix { $0.number <= flow.extendedDone }.count
            if settled > 0 { earlier.removeFirst(settled) }
        }
        current.clear()
        count &+= 1
        current.version = count
        current.number = flow.extendedSent
        current.batch = flow.batch
    }

    private mutating func take() -> Version {
        var taken = Version()
        swap(&taken, &current)
        return taken
    }

    mutating func set(_ content: RawSpan, effects: StatementEffects, _ memory: StatementMemory) {
        if content.byteCount > Self.keptCapacity {
            current.share = StatementMemory.Share(of: content.byteCount, in: memory)
        }
        content.withUnsafeBytes { current.content.append(contentsOf: $0) }
        current.effects = effects
    }

    /// Makes the server of the moment have the statement, or none if there is none: it must not run another client's.
    ///
    /// - Returns: whether it is parsed for that.
    func provide(_ user: UInt64, _ server: inout ServerState, _ out: inout Segments) -> Bool {
        let wanted: ServerStatements.Unnamed = exists ? .of(user: user, version: version) : .none
        if server.statements.unnamed == wanted { return false }
        server.sendHidden()
        out.append {
            if exists {
                Parse.encode(name: [], content: current.content.span.bytes, into: &$0)
            } else {
                NamedObject(.statement, name: [UInt8]()).encodeClose(into: &$0)
            }
        }
        server.statements.setUnnamed(wanted, server.flow)
        return exists
    }

    /// A simple query is sent.
    ///
    /// - Returns: whether it ends the statement for certain.
    @inline(__always)
    mutating func endByQuery(_ flow: borrowing QueryFlow) -> Bool {
        if flow.isSkippingToSync { return false }
        if flow.maySkipQuery {
            current.endsBehind.append(flow.extendedSent)
            return false
        }
        // One whose end may fail does not come back behind the query.
        if exists || current.number != 0 { end() }
        return true
    }

    private mutating func end() {
        current.clear()
        current.number = 0
        earlier = []
    }

    /// The messages with these numbers had no effect. The first of them failed; the others were skipped.
    mutating func failed(_ numbers: ClosedRange<UInt64>) {
        var versions = earlier
        versions.append(current)
        var kept: [Version] = []
        for var version in versions {
            // A query behind them was skipped, or has run.
            version.endsBehind.removeAll { numbers.contains($0) }
            if version.endsBehind.contains(where: { $0 < numbers.lowerBound }) { version.clear() }
            if version.number == numbers.lowerBound {
                version = Version()
                kept = []
            } else if numbers.contains(version.number) {
                // What ends it has come behind the one before it, too, which is there again.
                if let last = kept.indices.last { kept[last].endsBehind += version.endsBehind }
                continue
            }
            kept.append(version)
        }
        current = kept.popLast() ?? Version()
        earlier = kept
    }

    /// Nothing is under way: no message can fail any more.
    @inline(__always)
    mutating func settle() {
        if current.number == 0, current.endsBehind.isEmpty { return }
        if !current.endsBehind.isEmpty { current.clear() }
        current.number = 0
        if earlier.count > 1 { earlier.removeFirst(earlier.count - 1) }
    }
}
