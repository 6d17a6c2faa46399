// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The service manager that started the process and wants to be told what it is doing: systemd, by the protocol of sd_notify(3).
///
/// A message is a datagram to the socket that `NOTIFY_SOCKET` names. Nothing waits for it, and nothing depends on it.
package struct ServiceManager: Sendable {
    /// What the process is doing.
    enum State: Equatable {
        /// It serves clients.
        case ready
        /// It reads its configuration again; `ready` ends that.
        case reloading
        /// It takes no more clients.
        case stopping
        /// It serves clients in place of another process, which was the main one.
        case tookOver(process: Int32)
        /// All its threads do their work.
        case alive
    }

    /// Where messages go, as the kernel wants it; a name in the abstract space begins with a zero byte.
    private let path: [UInt8]
    /// It must hear that the process is alive within so long, again and again, or it ends the process and starts it anew.
    let patience: Duration?

    /// Reads what systemd put into the environment.
    ///
    /// - Returns: nil if nobody wants to be told.
    package init?(environment: (String) -> String?, processID: Int32) {
        guard let name = environment("NOTIFY_SOCKET") else { return nil }
        var path = Array(name.utf8)
        guard path.count > 1, path.count < 108, path[0] == UInt8(ascii: "/") || path[0] == UInt8(ascii: "@")
        else { return nil }
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        self.path = path
        let isMeant = environment("WATCHDOG_PID").map { $0 == "\(processID)" } ?? true
        let limit = isMeant ? environment("WATCHDOG_USEC").flatMap(Int64.init) : nil
        patience = limit.flatMap { $0 > 0 ? .microseconds($0) : nil }
    }

    /// Tells it. What it does not take is lost: it has no room, or is gone.
    func tell(_ state: State) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let message = Self.message(state, now: Self.microseconds)
        withUnsafeBytes(of: address) { raw in
            _ = sendto(
                descriptor, message, message.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL),
                raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
        }
    }

    /// - Parameter now: the monotonic clock, in microseconds: it tells this reload from one that was asked for later.
    static func message(_ state: State, now: UInt64) -> [UInt8] {
        let lines =
            switch state {
            case .ready: "READY=1\nSTATUS=serving clients"
            case .tookOver(let process): "MAINPID=\(process)\nREADY=1\nSTATUS=serving clients"
            case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(now)\nSTATUS=reading the configuration"
            case .stopping: "STOPPING=1\nSTATUS=clients finish their transactions"
            case .alive: "WATCHDOG=1"
            }
        return Array(lines.utf8)
    }

    private static var microseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1_000
    }
}
