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
    /// A job is being done.
    private var isWaiting = false
    private var presence = PresenceCheck()

    /// Chunks that are read in a row from a client that never stops sending.
    private static var roundsInARow: Int { 4 }

    init(_ session: ClientSession, _ context: ConsoleContext, _ role: ConsoleRole) {
        self.session = session
        console = ConsoleSession(context, role)
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
            // What the client sends meanwhile stays in its socket.
            if isWaiting { return transport.isHungUp ? try presence.run(transport, &output) : () }
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
        try answer { console, answers throws(SessionEnd) in try console.received(bytes, into: &answers) }
    }

    private func resume() throws(SessionEnd) {
        try answer { console, answers throws(SessionEnd) in try console.resume(into: &answers) }
    }

    /// The result of the job that the client waits for.
    func finish(_ result: ConsoleResult) {
        if isOver { return }
        isWaiting = false
        do throws(SessionEnd) {
            try answer { console, answers throws(SessionEnd) in try console.finish(result, into: &answers) }
        } catch {
            return session.end(error)
        }
        handle(0)
    }

    /// Has the console say something, and sends it.
    private func answer(_ body: (inout ConsoleSession, inout [UInt8]) throws(SessionEnd) -> Void)
        throws(SessionEnd)
    {
        var answers: [UInt8] = []
        let end: SessionEnd?
        do throws(SessionEnd) {
            try body(&console, &answers)
            end = nil
        } catch { end = error }
        try send(answers)
        if let end { throw end }
        begin()
    }

    /// Has the job done that the console waits for.
    private func begin() {
        guard let job = console.job, !isWaiting else { return }
        isWaiting = true
        let (worker, owner) = (session.worker, session.owner)
        worker.console.perform(job) { result in
            worker.reactor.call { worker.session(of: owner)?.receive(result) }
        }
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
