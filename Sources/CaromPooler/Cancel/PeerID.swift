// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What poolers that pass cancels on to one another know one of them by, and how the keys of its clients say it: as PgBouncer's do, so that
/// both may be among them. Bytes 1 and 2 of a key are the number, the lower one first; the two lowest bits of byte 7 count the hops that
/// are left.
package struct PeerID: Hashable, Sendable {
    package let number: Int

    /// Nil for 0, which is none.
    package init?(_ number: Int) {
        guard (1...16383).contains(number) else { return nil }
        self.number = number
    }

    /// The pooler that has made a key with this number in the place of the process id, if it knows of peers at all.
    package init?(of number: UInt32) {
        self.init(Int(number >> 16 & 0xff | number & 0xff00))
    }

    /// In the last byte of a key's first word.
    static var hopMask: UInt32 { 3 }

    /// A number for a new key, which says whose it is.
    func mark(_ number: UInt32) -> UInt32 {
        let id = UInt32(self.number)
        let marked = number & 0x7f00_00ff | (id & 0xff) << 16 | id & 0xff00
        return marked
    }

    /// Whether a key is one of this pooler's.
    func made(_ request: CancelRequest) -> Bool { PeerID(of: request.processID) == self }

    /// The request as the client has sent it, however often it was passed on.
    func unhopped(_ request: CancelRequest) -> CancelRequest {
        guard request.key.count >= 4 else { return request }
        var request = request
        request.key[3] |= UInt8(Self.hopMask)
        return request
    }

    /// The request for the next pooler; nil if it has gone far enough.
    static func hop(_ request: CancelRequest) -> CancelRequest? {
        guard request.key.count >= 4, request.key[3] & UInt8(hopMask) != 0 else { return nil }
        var request = request
        request.key[3] -= 1
        return request
    }
}
