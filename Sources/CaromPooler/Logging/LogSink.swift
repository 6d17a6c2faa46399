// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import CaromReactor
import Synchronization

/// One destination of the log with a queue and a thread of its own: a reader that stands still stops this thread alone, not
/// those that have something to say, nor the other destinations.
final class LogSink: Sendable {
    private let target: LogTarget
    private let formatter: LogFormatter
    private let queue: LogQueue<Order>
    private let work = SystemSemaphore()
    private let failed = Atomic<Int>(0)

    /// What the thread is asked to do, in this order.
    private enum Order: Sendable {
        case write([UInt8], LogLevel)
        case reopen
        /// All that was asked for before is done.
        case tell(SystemSemaphore)
        case end
    }

    /// Bytes that wait for a destination that does not keep up; what comes then is dropped and counted.
    static let queueLimit = 1 << 20

    /// Starts the thread, which keeps the sink until ``end()``.
    ///
    /// - Throws: `SystemError` when threads have run out.
    init(_ target: LogTarget, _ formatter: LogFormatter, limit: Int = queueLimit) throws(SystemError) {
        self.target = target
        self.formatter = formatter
        queue = LogQueue(limit: limit)
        try SystemThread.start(name: "log") { self.run() }
    }

    /// Lines that did not fit or could not be written, since the start.
    var lostLines: Int { failed.load(ordering: .relaxed) + queue.droppedCount }

    // MARK: From any thread

    /// Has a line written, which ends with a newline. Never waits.
    func write(_ line: [UInt8], level: LogLevel) {
        switch queue.offer(.write(line, level), bytes: line.count) {
        case .dropped: break
        case .queued(let mustWake): didQueue(mustWake)
        }
    }

    /// Has the file opened anew.
    func reopen() { put(.reopen) }

    /// Signals `semaphore` when all that was asked for before is done.
    func tell(_ semaphore: SystemSemaphore) { put(.tell(semaphore)) }

    /// Ends the thread when all that was asked for before is done.
    func end() { put(.end) }

    private func put(_ order: Order) { didQueue(queue.put(order)) }

    private func didQueue(_ mustWake: Bool) {
        carom_log_queued(1)
        if mustWake { work.signal() }
    }

    // MARK: On the thread

    /// What the thread has at hand.
    private struct Piece {
        /// Whole lines that are written together.
        var lines: [UInt8] = []
        var count = 0
        /// Of the first of them.
        var level = LogLevel.info
        /// Lost lines that a line has told of.
        var told = 0
    }

    private func run() {
        var piece = Piece()
        while true {
            work.wait()
            let orders = queue.takeAll()
            for order in orders {
                if case .write(let line, let level) = order {
                    add(line, level, to: &piece)
                    continue
                }
                write(&piece)
                switch order {
                case .write: break
                case .reopen: reopenTarget(&piece)
                case .tell(let semaphore):
                    tellOfLosses(&piece)
                    semaphore.signal()
                case .end:
                    carom_log_queued(-1)
                    return target.close()
                }
                carom_log_queued(-1)
            }
            write(&piece)
            tellOfLosses(&piece)
        }
    }

    private func add(_ line: [UInt8], _ level: LogLevel, to piece: inout Piece) {
        if piece.lines.count + line.count > target.pieceSize { write(&piece) }
        if piece.count == 0 { piece.level = level }
        piece.lines += line
        piece.count += 1
    }

    private func write(_ piece: inout Piece) {
        if piece.count == 0 { return }
        if !target.write(piece.lines, level: piece.level) {
            failed.add(piece.count, ordering: .relaxed)
        }
        queue.release(bytes: piece.lines.count)
        carom_log_queued(-piece.count)
        piece.lines.removeAll(keepingCapacity: true)
        piece.count = 0
    }

    private func tellOfLosses(_ piece: inout Piece) {
        let all = lostLines
        if all == piece.told { return }
        let text =
            "\(all - piece.told) lines of the log were lost here: they could not be written, or not in time"
        if target.write(formatter.line(.error, text), level: .error) { piece.told = all }
    }

    private func reopenTarget(_ piece: inout Piece) {
        do throws(LogWriter.Failure) {
            try target.reopen()
        } catch {
            let line = formatter.line(.error, "\(error); lines go on into the old file")
            if !target.write(line, level: .error) { failed.add(1, ordering: .relaxed) }
        }
    }
}
