// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc

/// Waits for a file to be replaced, written or removed. Watches the directory, because a replaced file is another.
final class FileWatch: Sendable {
    private let events: Int32
    private let wakeReading: Int32
    private let wakeWriting: Int32

    init(path: String) throws(SystemError) {
        let directory =
            path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard descriptor >= 0 else { throw SystemError.last("inotify_init1") }
        let mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB
        guard inotify_add_watch(descriptor, directory, UInt32(mask)) >= 0 else {
            let error = SystemError.last("watch \(directory)")
            close(descriptor)
            throw error
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let error = SystemError.last("pipe")
            close(descriptor)
            throw error
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        events = descriptor
        wakeReading = ends[0]
        wakeWriting = ends[1]
    }

    deinit {
        close(events)
        close(wakeReading)
        close(wakeWriting)
    }

    /// Blocks until something in the directory changed; false when told to stop.
    func waitForChange() -> Bool {
        var waits = [
            pollfd(fd: events, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeReading, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&waits, 2, -1) < 0 {
            if errno != EINTR { return false }
        }
        if waits[1].revents != 0 { return false }
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while Glibc.read(events, buffer.baseAddress, buffer.count) > 0 {}
        }
        return true
    }

    /// Ends ``waitForChange()``, now or when it is next called. From any thread.
    func stop() {
        var byte: UInt8 = 1
        _ = Glibc.write(wakeWriting, &byte, 1)
    }
}
