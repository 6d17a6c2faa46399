// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A client that has logged in, as `SHOW CLIENTS` has it.
struct ConsoleClient: Sendable {
    enum State: String, Sendable {
        /// It holds no server and wants none.
        case idle
        /// It stands in the queue for a server.
        case waiting
        /// It holds a server, or is at the console.
        case active
    }

    let owner: UInt64
    let user: String
    let database: String
    let state: State
    let host: String?
    let port: Int?
    /// In seconds since 1970.
    let connectedAt: Int64

    /// Its number as clients of the console know it, which must fit into four bytes. Of millions of clients two can have the same.
    var id: Int { Self.id(ofOwner: owner) }

    static func id(ofOwner owner: UInt64) -> Int {
        Int((owner & 0x1f_ffff) << 10 | owner >> Worker.ownerShift & 0x3ff)
    }

    /// Which worker has the client of such a number.
    static func worker(ofID id: Int) -> Int { id & 0x3ff }

    /// In the order of the columns of ``ShowClients``.
    var row: [String?] {
        [
            "C", user, database, "none", state.rawValue, host, port.map(String.init), nil, nil, connectTime,
            nil, nil,
            nil, "0", nil, nil, nil, "", nil, nil, "\(id)",
        ]
    }

    private var connectTime: String {
        var bytes: [UInt8] = []
        LogTime(seconds: connectedAt).appendTimestamp(withMilliseconds: false, to: &bytes)
        return String(decoding: bytes, as: UTF8.self).replacing("T", with: " ").replacing("Z", with: " UTC")
    }
}
