// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// The last stage of a session: the client is told why, and has a moment to take that.
///
/// Closing a socket with unread bytes in it resets the connection, and what was written last is lost with it: so what the
/// client still sends is read and dropped.
final class Farewell: SessionStage {
    private let session: ClientSession
    private let fields: ErrorFields?
    @exclusivity(unchecked) private var output: OutputQueue
    @exclusivity(unchecked) private var timer: ReactorTimer?
    @exclusivity(unchecked) private var isOver = false

    /// How long a client has to take what it is told and to hang up.
    private static let patience = Duration.seconds(1)
    private static let timerToken = 1
    /// Buffers that are read in a row from a client that never stops sending.
    private static var roundsInARow: Int { 4 }

    /// - Parameters:
    ///   - fields: what the client is told; nil if nobody is there to be told.
    ///   - waiting: what the client has not taken yet. The beginning of a message may have gone, so all of it comes first.
    init(_ session: ClientSession, fields: ErrorFields?, behind waiting: OutputQueue) {
        self.session = session
        self.fields = fields
        output = waiting
    }

    func begin() {
        guard let fields else { return finish() }
        let worker = session.worker
        worker.log.error(
            "\(fields.code?.description ?? "-----") \(fields.message ?? "")", in: session.context(.cleanup))
        // In the middle of a handshake there is nothing that a word of ours could be put into.
        guard session.transport.carriesText else { return finish() }
        var bytes: [UInt8] = []
        session.describe(fields).encode(into: &bytes)
        guard (try? output.write(bytes, to: session.transport)) != nil else { return finish() }
        let timer = worker.reactor.makeTimer(self, token: Self.timerToken)
        self.timer = timer
        worker.reactor.arm(timer, at: .now + Self.patience)
        if output.isEmpty { session.transport.shutdownWriting() }
        handle(0)
    }

    func handle(_ token: Int) {
        if isOver { return }
        if token == Self.timerToken { return finish() }
        let transport = session.transport
        if !output.isEmpty {
            guard (try? output.flush(to: transport)) != nil else { return finish() }
            if output.isEmpty { transport.shutdownWriting() }
        }
        for _ in 0..<Self.roundsInARow {
            guard let outcome = try? transport.read(into: session.worker.buffer) else { return finish() }
            switch outcome {
            case .bytes: continue
            case .wouldBlock: return
            case .end: return finish()
            }
        }
        session.worker.reactor.again(self, token: 0)
    }

    private func finish() {
        if isOver { return }
        isOver = true
        if let timer { session.worker.reactor.disarm(timer) }
        // It holds on to this stage.
        timer = nil
        session.finish()
    }

    func leave() -> OutputQueue { OutputQueue() }
    func stop() {}
    func abort() { finish() }
}
