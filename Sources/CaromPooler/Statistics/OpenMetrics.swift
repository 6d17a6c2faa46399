// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Writes metrics in the text format of OpenMetrics 1.0, which Prometheus reads.
struct OpenMetrics {
    /// What to send it as.
    static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

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

    /// Adds a metric with all its rows. One without rows is left out.
    ///
    /// - Parameter name: without the suffix of its kind.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
        // The format wants the unit in the name, and told once more.
        for unit in ["seconds", "bytes"] where name.hasSuffix("_\(unit)") {
            text += "# UNIT \(name) \(unit)\n"
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
    mutating func finish() { text += "# EOF\n" }

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
