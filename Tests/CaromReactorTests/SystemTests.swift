// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import CaromReactor

@Suite("What the system gives: threads and files") struct SystemTests {
    @Test(.timeLimit(.minutes(1))) func aThreadHasItsNameAndTakesNoSignals() async throws {
        let (name, blocked) = await withCheckedContinuation { continuation in
            do {
                try SystemThread.start(name: "a-name-of-more-than-15") {
                    var set = sigset_t()
                    pthread_sigmask(SIG_BLOCK, nil, &set)
                    let blocked = [SIGTERM, SIGUSR1, SIGSEGV].map { sigismember(&set, $0) }
                    let name = (try? readFile("/proc/thread-self/comm", limit: 64)) ?? []
                    continuation.resume(returning: (String(decoding: name, as: UTF8.self), blocked))
                }
            } catch { Issue.record("\(error)") }
        }
        #expect(name == "a-name-of-more-\n")
        #expect(blocked == [1, 1, 0])
    }

    @Test func aSmallFileIsReadWholeAndALargeOneIsRefused() throws {
        let path = "/tmp/carom-file-\(getpid())"
        let content = (0..<200_000).map { UInt8($0 % 251) }
        let file = fopen(path, "w")
        #expect(fwrite(content, 1, content.count, file) == content.count)
        fclose(file)
        defer { unlink(path) }
        #expect(try readFile(path, limit: content.count) == content)
        let tooLong = #expect(throws: SystemError.self) { try readFile(path, limit: content.count - 1) }
        #expect(tooLong?.code == EFBIG)
        let missing = #expect(throws: SystemError.self) { try readFile(path + "-", limit: 1) }
        #expect(missing?.description == "open \(path)-: No such file or directory")
        let folder = #expect(throws: SystemError.self) { try readFile("/tmp", limit: 1) }
        #expect(folder?.code == EISDIR)
    }
}
