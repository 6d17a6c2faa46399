// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// `SHOW MEM`: what of the process's memory is accounted for, and all of it. A number that does not fit into four bytes is null.
struct ShowMem: ConsoleCommand {
    static let name = "SHOW MEM"

    static func parse(_ words: [ConsoleWord]) -> ShowMem? {
        words.spell("show", "mem") ? ShowMem() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["name"]), (.integer, ["size", "used", "free", "memtotal"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let statistics = context.statistics
        let buffer = context.snapshot.bufferSize
        let workers = statistics.process.workers
        let statements = statistics.routes.reduce(0) { $0 + $1.statements.count }
        let memory = statistics.statementMemory
        return .table([
            // A client that keeps up with its server has no memory for bytes: it reads into its worker's.
            Self.row("read_buffers", size: buffer, used: workers, free: 0, total: workers * buffer),
            Self.row(
                "prepared_statements", used: statements, free: memory.limit.map { max(0, $0 - memory.bytes) },
                total: memory.bytes),
            Self.row(
                "waiting_bytes",
                free: statistics.bufferMemory.limit.map { max(0, $0 - statistics.bufferMemory.bytes) },
                total: statistics.bufferMemory.bytes),
            Self.row("process", used: Self.resident, total: Self.resident),
        ])
    }

    private static func row(
        _ name: String, size: Int? = nil, used: Int? = nil, free: Int? = nil, total: Int? = nil
    ) -> [String?] {
        [name] + [size, used, free, total].map { $0.flatMap { Int32(exactly: $0) }.map { "\($0)" } }
    }

    /// Bytes of the process that are in memory now.
    private static var resident: Int? {
        guard let file = fopen("/proc/self/statm", "re") else { return nil }
        defer { fclose(file) }
        var (all, present) = (0, 0)
        let found = withUnsafeMutablePointer(to: &all) { all in
            withUnsafeMutablePointer(to: &present) { present in
                withVaList([all, present]) { vfscanf(file, "%ld %ld", $0) }
            }
        }
        return found == 2 ? present * sysconf(Int32(_SC_PAGESIZE)) : nil
    }
}
