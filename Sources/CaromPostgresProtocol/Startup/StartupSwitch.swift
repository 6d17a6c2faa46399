// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A command line switch of a PostgreSQL server process, and the settings that it stands for.
struct StartupSwitch {
    enum Fault: Error {
        /// The argument means nothing to the switch.
        case unfit
        /// A setting without `=`.
        case noValue
    }

    private let letter: Character

    /// Nil for a letter that PostgreSQL does not know.
    init?(_ letter: Character) {
        guard Self.plain.contains(letter) || Self.withArgument.contains(letter) else { return nil }
        self.letter = letter
    }

    var takesArgument: Bool { Self.withArgument.contains(letter) }

    private static let plain = "bEeFijlnOPsT"
    private static let withArgument = "BCcDdfhkNprStvW-"

    /// What the switch sets, with an argument if it takes one.
    func settings(_ argument: String) -> Result<[StartupParameter], Fault> {
        switch letter {
        case "B": .success([StartupParameter("shared_buffers", argument)])
        case "c", "-": Self.named(argument)
        case "d": .success(Self.debugging(argument))
        case "e": .success([StartupParameter("DateStyle", "euro")])
        case "F": .success([StartupParameter("fsync", "false")])
        case "f": Self.oneOf(Self.plans, argument.prefix(1), "false")
        case "h": .success([StartupParameter("listen_addresses", argument)])
        case "i": .success([StartupParameter("listen_addresses", "*")])
        case "k": .success([StartupParameter("unix_socket_directories", argument)])
        case "l": .success([StartupParameter("ssl", "true")])
        case "N": .success([StartupParameter("max_connections", argument)])
        case "O": .success([StartupParameter("allow_system_table_mods", "true")])
        case "P": .success([StartupParameter("ignore_system_indexes", "true")])
        case "p": .success([StartupParameter("port", argument)])
        case "S": .success([StartupParameter("work_mem", argument)])
        case "s": .success([StartupParameter("log_statement_stats", "true")])
        case "t": Self.oneOf(Self.statistics, argument.prefix(argument.hasPrefix("e") ? 1 : 2), "true")
        case "W": .success([StartupParameter("post_auth_delay", argument)])
        // For a server of one's own; in a client's options they do nothing.
        default: .success([])
        }
    }

    private static func oneOf(
        _ names: [Substring: String], _ key: Substring, _ value: String
    ) -> Result<[StartupParameter], Fault> {
        guard let name = names[key] else { return .failure(.unfit) }
        return .success([StartupParameter(name, value)])
    }

    private static let plans: [Substring: String] = [
        "s": "enable_seqscan", "i": "enable_indexscan", "o": "enable_indexonlyscan",
        "b": "enable_bitmapscan", "t": "enable_tidscan", "n": "enable_nestloop", "m": "enable_mergejoin",
        "h": "enable_hashjoin",
    ]

    private static let statistics: [Substring: String] = [
        "pa": "log_parser_stats", "pl": "log_planner_stats", "e": "log_executor_stats",
    ]

    /// `name=value`. A name may be empty: the server says that it knows none.
    private static func named(_ setting: String) -> Result<[StartupParameter], Fault> {
        guard let sign = setting.utf8.firstIndex(of: UInt8(ascii: "=")) else { return .failure(.noValue) }
        let name = String(setting[..<sign].map { $0 == "-" ? "_" : $0 })
        let value = String(setting[setting.utf8.index(after: sign)...])
        return .success([StartupParameter(name, value)])
    }

    /// `-d level` as `set_debug_options` reads it.
    private static func debugging(_ argument: String) -> [StartupParameter] {
        let level = number(argument)
        guard level > 0 else { return [StartupParameter("log_min_messages", "notice")] }
        var settings = [StartupParameter("log_min_messages", "debug\(level)")]
        if level >= 2 { settings.append(StartupParameter("log_statement", "all")) }
        for (name, least) in [("parse", 3), ("plan", 4), ("rewritten", 5)] where level >= least {
            settings.append(StartupParameter("debug_print_\(name)", "true"))
        }
        return settings
    }

    /// The number at the front, zero without one, as `atoi` reads it.
    private static func number(_ text: String) -> Int32 {
        var bytes = Substring(text).utf8
        while let byte = bytes.first, byte == 0x20 || (0x09...0x0d).contains(byte) { bytes.removeFirst() }
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative || bytes.first == UInt8(ascii: "+") { bytes.removeFirst() }
        var value: Int64 = 0
        while let byte = bytes.popFirst(), (0x30...0x39).contains(byte) {
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLarge) = product.addingReportingOverflow(Int64(byte - 0x30))
            value = overflowed || isTooLarge ? .max : sum
            if value == .max { break }
        }
        return Int32(truncatingIfNeeded: isNegative ? -value : value)
    }
}
