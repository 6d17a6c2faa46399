// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// The stage of a session whose client talks to the pooler itself: the shell around `ConsoleSession`.
final class ConsoleStage: SessionStage {
    private let session: ClientSession
    private var console: ConsoleSession
    private var output = OutputQueue()
    private var isOver = false

    /// Chunks that are read in a row from a client that never stops sending.
    private static var roundsInARow: Int { 4 }

    init(_ session: ClientSession, _ context: ConsoleContext) {
        self.session = session
        console = ConsoleSession(context)
    }

    /// Greets the client, and takes in what it sent behind its login.
    func begin(_ startup: StartupMessage, input: [UInt8]) throws(SessionEnd) {
        var greeting: [UInt8] = []
        // There is nothing to cancel: the key is the client's alone.
        let key = CancelKey(
            version: startup.version, number: CancelKey.number(using: &session.worker.random),
            using: &session.worker.random)
        ConsoleSession.greet(
            user: startup.user,
            applicationName: startup.parameters.last { $0.name == "application_name" }?.value ?? "",
            key: key.data, into: &greeting)
        try send(greeting)
        session.worker.log.session("console", in: session.context(.console))
        try receive(input.span.bytes)
    }

    func handle(_ token: Int) {
        if isOver { return }
        do throws(SessionEnd) {
            try work()
        } catch {
            session.end(error)
        }
    }

    private func work() throws(SessionEnd) {
        let transport = session.transport
        for _ in 0..<Self.roundsInARow {
            do throws(SystemError) { try output.flush(to: transport) } catch { throw .clientLeft }
            if !output.isEmpty { return }
            if console.isBehind {
                try resume()
                continue
            }
            let outcome: ReadOutcome
            let buffer = session.worker.buffer
            do throws(SystemError) { outcome = try transport.read(into: buffer) } catch { throw .clientLeft }
            switch outcome {
            case .bytes(let count):
                try receive(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count])))
            case .wouldBlock: return
            case .end: throw .clientLeft
            }
        }
        session.worker.reactor.again(self, token: 0)
    }

    private func receive(_ bytes: RawSpan) throws(SessionEnd) {
        var answers: [UInt8] = []
        let end: SessionEnd?
        do throws(SessionEnd) {
            try console.received(bytes, into: &answers)
            end = nil
        } catch { end = error }
        try send(answers)
        if let end { throw end }
    }

    private func resume() throws(SessionEnd) {
        var answers: [UInt8] = []
        let end: SessionEnd?
        do throws(SessionEnd) {
            try console.resume(into: &answers)
            end = nil
        } catch { end = error }
        try send(answers)
        if let end { throw end }
    }

    private func send(_ bytes: [UInt8]) throws(SessionEnd) {
        if bytes.isEmpty { return }
        do throws(SystemError) { try output.write(bytes, to: session.transport) } catch { throw .clientLeft }
    }

    func leave() -> OutputQueue {
        isOver = true
        return output
    }

    func stop() { session.end(.shutdown) }
    func abort() { session.end(.shutdown) }
}
