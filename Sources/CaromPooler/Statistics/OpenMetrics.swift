// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Writes metrics in the text format of OpenMetrics 1.0, which Prometheus asks for, or in the one before it, which everything reads.
struct OpenMetrics {
    enum Dialect: Sendable {
        case openMetrics
        /// Prometheus's text format 0.0.4. It knows gauges and counters, by the names of their samples.
        case text

        /// What a reader understands that says this, or nothing, in its Accept header.
        init(accept: String?) {
            self = accept?.contains("application/openmetrics-text") == true ? .openMetrics : .text
        }

        /// What to send it as.
        var contentType: String {
            switch self {
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            case .text: "text/plain; version=0.0.4; charset=utf-8"
            }
        }
    }

    /// What kind of number a metric is.
    enum Kind: String {
        /// Goes up and down.
        case gauge
        /// Only goes up, except when the process starts again. Its samples end in `_total`.
        case counter
        /// Is always 1; its labels tell. Its sample ends in `_info`.
        case info
        /// One sample for each state there is, 1 for the one that holds. The label has the metric's name.
        case stateset

        var suffix: String {
            switch self {
            case .gauge, .stateset: ""
            case .counter: "_total"
            case .info: "_info"
            }
        }
    }

    /// One row of a metric: labels that tell it from the others, and its value.
    struct Sample {
        var labels: [(name: String, value: String)] = []
        var value: Double
    }

    private(set) var text = ""
    private let dialect: Dialect

    init(_ dialect: Dialect = .openMetrics) { self.dialect = dialect }

    /// Adds a metric with all its rows. One without rows is left out.
    ///
    /// - Parameter name: without the suffix of its kind.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        switch dialect {
        case .openMetrics:
            text += "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
            // The format wants the unit in the name, and told once more.
            for unit in ["seconds", "bytes"] where name.hasSuffix("_\(unit)") {
                text += "# UNIT \(name) \(unit)\n"
            }
        case .text:
            let whole = name + kind.suffix
            let type = kind == .counter ? kind : .gauge
            text += "# HELP \(whole) \(Self.escaped(help))\n# TYPE \(whole) \(type.rawValue)\n"
        }
        for sample in samples {
            text += name + kind.suffix
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
                text += "{\(labels.joined(separator: ","))}"
            }
            text += " \(Self.number(sample.value))\n"
        }
    }

    /// Adds what must stand at the end.
    mutating func finish() {
        switch dialect {
        case .openMetrics: text += "# EOF\n"
        case .text: break
        }
    }

    /// Names of databases and users are the clients' choice: nothing in them may end a label or a line.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whole numbers without a point, as people like to read them.
    private static func number(_ value: Double) -> String {
        value.rounded() == value && abs(value) < 9e15 ? "\(Int64(value))" : "\(value)"
    }
}
