// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

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
        /// How many of each size there were: samples end in `_bucket`, `_count` and `_sum`.
        case histogram
        /// One sample for each state there is, 1 for the one that holds. The label has the metric's name.
        case stateset

        var suffix: String {
            switch self {
            case .gauge, .stateset, .histogram: ""
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

    typealias Histogram = (labels: [(name: String, value: String)], durations: DurationHistogram)

    private(set) var text = ""
    private let dialect: Dialect

    init(_ dialect: Dialect = .openMetrics) { self.dialect = dialect }

    /// Adds a metric with all its rows. One without rows is left out.
    ///
    /// - Parameter name: without the suffix of its kind.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        head(name, kind, help)
        for sample in samples { add(name + kind.suffix, sample.labels, sample.value) }
    }

    /// Adds histograms of durations, in seconds. None is left out, but nothing is added if there are none.
    mutating func add(_ name: String, _ help: String, _ histograms: [Histogram]) {
        if histograms.isEmpty { return }
        head(name, .histogram, help)
        for (labels, histogram) in histograms {
            var below: UInt64 = 0
            for (bound, count) in zip(DurationHistogram.bounds, histogram.counts) {
                below += count
                add("\(name)_bucket", labels + [("le", "\(bound / .seconds(1))")], Double(below))
            }
            add("\(name)_bucket", labels + [("le", "+Inf")], Double(histogram.count))
            add("\(name)_count", labels, Double(histogram.count))
            add("\(name)_sum", labels, Double(histogram.nanoseconds) / 1e9)
        }
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        switch dialect {
        case .openMetrics:
            text += "# HELP \(name) \(Self.escaped(help))\n# TYPE \(name) \(kind.rawValue)\n"
            // The format wants the unit in the name, and told once more.
            for unit in ["seconds", "bytes"] where name.hasSuffix("_\(unit)") {
                text += "# UNIT \(name) \(unit)\n"
            }
        case .text:
            let whole = name + kind.suffix
            let type = kind == .counter || kind == .histogram ? kind : .gauge
            text += "# HELP \(whole) \(Self.escaped(help))\n# TYPE \(whole) \(type.rawValue)\n"
        }
    }

    private mutating func add(_ name: String, _ labels: [(name: String, value: String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            let labels = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
            text += "{\(labels.joined(separator: ","))}"
        }
        text += " \(Self.number(value))\n"
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
