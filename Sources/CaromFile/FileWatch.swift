// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Waits for a file to be replaced, written or removed. Watches the directory, because a replaced file is another.
final class FileWatch: Sendable {
    private let events: Int32
    private let wakeReading: Int32
    private let wakeWriting: Int32

    init(path: String) throws(FileResolverProblem) {
        let directory =
            path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard descriptor >= 0 else { throw Self.problem("inotify_init1") }
        let mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB
        guard inotify_add_watch(descriptor, directory, UInt32(mask)) >= 0 else {
            let problem = Self.problem("watching \(directory)")
            close(descriptor)
            throw problem
        }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            let problem = Self.problem("pipe")
            close(descriptor)
            throw problem
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

    /// Runs the body on a thread of its own, with signals blocked: waiting for inotify blocks. False if the system
    /// has no thread left.
    static func onThread(_ body: @escaping @Sendable () -> Void) -> Bool {
        let box = Unmanaged.passRetained(ThreadBody(body))
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let start: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
            if let raw { Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().body() }
            return nil
        }
        guard pthread_create(&thread, nil, start, box.toOpaque()) == 0 else {
            box.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// The whole file, at most 16 MiB.
    static func contents(of path: String) throws(FileResolverProblem) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem("opening \(path)") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw problem("reading \(path)") }
            if count == 0 { return bytes }
            bytes += chunk.prefix(count)
            if bytes.count > 16 << 20 {
                throw FileResolverProblem(line: nil, text: "\(path) is larger than 16 MiB")
            }
        }
    }

    private static func problem(_ what: String) -> FileResolverProblem {
        FileResolverProblem(line: nil, text: "\(what): \(String(cString: strerror(errno)))")
    }

    private final class ThreadBody: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
