// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Requests the server has still to answer, oldest first, neighbours of one kind counted together.
///
/// Two entries live in the value itself, which is all that ordinary traffic needs; deep pipelines go to an
/// array that is given up again when it is used up.
struct FlowQueue: Equatable, Sendable {
    /// What was sent, by the way its answer ends.
    enum Kind: UInt8, Sendable {
        /// Parse, Bind, Describe, Execute, Close: one final reply each, no ReadyForQuery.
        case extended
        /// The same, of a message of the pooler's own: its reply is not the client's, an error is.
        case hidden
        /// Query and FunctionCall: ReadyForQuery.
        case query
        /// Sync: ReadyForQuery, and the end of skipping after an error.
        case sync
        /// CopyDone or CopyFail that was sent before the server asked for data: no reply of its own.
        case copyEnd

        /// Parse, Bind, Describe, Execute or Close, whoever sent it.
        @inline(__always)
        var isExtended: Bool { self == .extended || self == .hidden }
    }

    struct Entry: Equatable, Sendable {
        var kind: Kind
        var count: Int

        /// Nothing of one kind is nothing of any.
        static func == (left: Entry, right: Entry) -> Bool {
            left.count == right.count && (left.kind == right.kind || left.count == 0)
        }
    }

    /// The oldest entry; its count is 0 when the queue is empty.
    private(set) var head = Entry(kind: .sync, count: 0)
    private var second = Entry(kind: .sync, count: 0)
    private var rest: [Entry] = []
    private var restStart = 0

    @inline(__always)
    var isEmpty: Bool { head.count == 0 }

    /// The entry behind the oldest, if there is one.
    var next: Entry? { second.count == 0 ? nil : second }

    /// The entry `offset` places behind that, if there is one.
    func afterNext(_ offset: Int = 0) -> Entry? {
        let place = restStart + offset
        return place < rest.count ? rest[place] : nil
    }

    /// Whether an entry of the first kind stands directly in front of one of the second. For ends of sessions, not for traffic.
    func has(_ first: Kind, before second: Kind) -> Bool {
        let entries = [head, self.second].filter { $0.count > 0 } + rest[restStart...]
        return zip(entries, entries.dropFirst()).contains { $0.kind == first && $1.kind == second }
    }

    @inline(__always)
    mutating func push(_ kind: Kind) {
        if head.count == 0 {
            head = Entry(kind: kind, count: 1)
        } else if second.count == 0 {
            if head.kind == kind { head.count &+= 1 } else { second = Entry(kind: kind, count: 1) }
        } else {
            pushFar(kind)
        }
    }

    private mutating func pushFar(_ kind: Kind) {
        if rest.isEmpty {
            if second.kind == kind {
                second.count &+= 1
                return
            }
        } else if rest[rest.count - 1].kind == kind {
            rest[rest.count - 1].count &+= 1
            return
        }
        rest.append(Entry(kind: kind, count: 1))
    }

    /// Takes one off the oldest entry.
    @inline(__always)
    mutating func popOne() {
        head.count &-= 1
        if head.count == 0, second.count > 0 { shift() }
    }

    /// Drops the oldest entry altogether.
    mutating func dropHead() {
        head.count = 0
        if second.count > 0 { shift() }
    }

    /// Takes one off the entry behind the oldest.
    mutating func popOneOfNext() {
        second.count &-= 1
        if second.count == 0 { refillSecond() }
    }

    /// Drops the entry behind the oldest.
    mutating func dropNext() {
        second.count = 0
        refillSecond()
    }

    private mutating func shift() {
        head = second
        second.count = 0
        refillSecond()
    }

    private mutating func refillSecond() {
        guard restStart < rest.count else { return }
        second = rest[restStart]
        restStart += 1
        if restStart == rest.count {
            rest = []
            restStart = 0
        } else if restStart >= 64, restStart * 2 >= rest.count {
            rest.removeFirst(restStart)
            restStart = 0
        }
    }
}
