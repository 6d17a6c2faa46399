// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Directive {
    /// `yes` or `no`.
    static func flag(_ name: String, _ path: Path<Bool>) -> Self {
        Directive(
            name: name, expects: "yes or no",
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try value.flag() },
            write: { $0[keyPath: path] ? "yes" : "no" })
    }

    /// A switch that says nothing unless it is set.
    static func flag(_ name: String, optional path: Path<Bool?>) -> Self {
        Directive(
            name: name, expects: "yes or no",
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try value.flag() },
            write: { $0[keyPath: path].map { $0 ? "yes" : "no" } })
    }

    /// Names, with commas between them.
    static func names(_ name: String, _ path: Path<[String]>) -> Self {
        Directive(
            name: name, expects: "names in double quotes, with commas between them",
            read: { value, scope throws(ValueError) in
                scope[keyPath: path] = try value.text("names in double quotes, with commas between them")
                    .split(separator: ",").map { HostPort.trimmed($0) }.filter { !$0.isEmpty }
            },
            write: { $0[keyPath: path].isEmpty ? nil : quoted($0[keyPath: path].joined(separator: ",")) })
    }

    /// A whole number.
    static func number(_ name: String, _ path: Path<Int>, in range: ClosedRange<Int>) -> Self {
        Directive(
            name: name, expects: range.sentence,
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try value.number(in: range) },
            write: { "\($0[keyPath: path])" })
    }

    /// A whole number where 0 means that there is no limit.
    static func limit(_ name: String, _ path: Path<Int?>) -> Self {
        let range = 0...Int(Int32.max)
        return Directive(
            name: name, expects: range.sentence,
            read: { value, scope throws(ValueError) in
                let number = try value.number(in: range)
                scope[keyPath: path] = number == 0 ? nil : number
            },
            write: { "\($0[keyPath: path] ?? 0)" })
    }

    /// The same in a block, where saying nothing leaves what is said further up.
    static func limit(_ name: String, overriding path: Path<Int?>) -> Self {
        let range = 0...Int(Int32.max)
        return Directive(
            name: name, expects: range.sentence,
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try value.number(in: range) },
            write: { $0[keyPath: path].map { "\($0)" } })
    }

    /// A number of bytes, where 0 means that there is no limit.
    static func size(_ name: String, orNoLimit path: Path<Int?>) -> Self {
        let range = 0...(1 << 50)
        return Directive(
            name: name, expects: "a size from \(range.lowerBound) to \(range.upperBound) bytes",
            read: { value, scope throws(ValueError) in
                let size = try value.size(in: range)
                scope[keyPath: path] = size == 0 ? nil : size
            },
            write: { "\($0[keyPath: path] ?? 0)" })
    }

    /// A time of at least one unit.
    static func time(_ name: String, in unit: TimeUnit, _ path: Path<Duration>, from least: Int = 1) -> Self {
        let range = least...Int(Int32.max)
        return Directive(
            name: name, expects: "\(range.sentence), in \(unit.rawValue)",
            read: { value, scope throws(ValueError) in
                scope[keyPath: path] = unit.duration(try value.number(in: range, unit: unit))
            },
            write: { "\(unit.count($0[keyPath: path]))" })
    }

    /// A time of at least one unit, which need not be given.
    static func time(_ name: String, in unit: TimeUnit, optional path: Path<Duration?>) -> Self {
        let range = 1...Int(Int32.max)
        return Directive(
            name: name, expects: "\(range.sentence), in \(unit.rawValue)",
            read: { value, scope throws(ValueError) in
                scope[keyPath: path] = unit.duration(try value.number(in: range, unit: unit))
            },
            write: { $0[keyPath: path].map { "\(unit.count($0))" } })
    }

    /// A time, where 0 means that it never comes.
    static func time(_ name: String, in unit: TimeUnit, orNever path: Path<Duration?>) -> Self {
        let range = 0...Int(Int32.max)
        return Directive(
            name: name, expects: "\(range.sentence), in \(unit.rawValue)",
            read: { value, scope throws(ValueError) in
                let number = try value.number(in: range, unit: unit)
                scope[keyPath: path] = number == 0 ? nil : unit.duration(number)
            },
            write: { "\($0[keyPath: path].map(unit.count) ?? 0)" })
    }

    /// A string that is not empty.
    static func text(_ name: String, _ path: Path<String>) -> Self {
        Directive(
            name: name, expects: "a string in double quotes",
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try value.text() },
            write: { quoted($0[keyPath: path]) })
    }

    /// A string that is not empty, and need not be given.
    static func text(_ name: String, optional path: Path<String?>) -> Self {
        Directive(
            name: name, expects: "a string in double quotes",
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try value.text() },
            write: { $0[keyPath: path].map(quoted) })
    }

    /// A password or what a server stores of one. It is never repeated, not even in a message about it.
    static func secret(_ name: String, _ path: Path<Secret?>) -> Self {
        Directive(
            name: name, expects: "a string in double quotes", isSecret: true,
            read: { value, scope throws(ValueError) in
                guard case .string(let text) = value.content else {
                    throw ValueError("expected a string in double quotes")
                }
                scope[keyPath: path] = try Secret(checking: text)
            },
            write: { $0[keyPath: path].map { quoted($0.description) } },
            reveal: { $0[keyPath: path].map { quoted($0.reveal()) } },
            isSame: { $0[keyPath: path] == $1[keyPath: path] })
    }

    /// One of a few words, in double quotes.
    static func choice<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype>(
        _ name: String, _ path: Path<Choice>
    ) -> Self {
        Directive(
            name: name, expects: Words<Choice>.expected,
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try Words<Choice>.read(value) },
            write: { quoted($0[keyPath: path].rawValue) })
    }

    /// The same, which need not be given.
    static func choice<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype>(
        _ name: String, optional path: Path<Choice?>
    ) -> Self {
        Directive(
            name: name, expects: Words<Choice>.expected,
            read: { value, scope throws(ValueError) in scope[keyPath: path] = try Words<Choice>.read(value) },
            write: { $0[keyPath: path].map { quoted($0.rawValue) } })
    }

    /// A directive of Odyssey that has no effect here; any value will do.
    static func ignored(_ name: String) -> Self {
        Directive(
            name: name, expects: "a value", isIgnored: true,
            read: { value, _ throws(ValueError) in
                if case .word = value.content {
                    throw ValueError("expected a value, found \(value.noun)")
                }
            },
            write: { _ in nil })
    }
}

/// The unit a directive counts in. There are no suffixes: the unit belongs to the directive, as in Odyssey.
enum TimeUnit: String, Sendable {
    case seconds
    case milliseconds

    func duration(_ count: Int) -> Duration {
        switch self {
        case .seconds: .seconds(count)
        case .milliseconds: .milliseconds(count)
        }
    }

    func count(_ duration: Duration) -> Int {
        switch self {
        case .seconds: Int(duration / .seconds(1))
        case .milliseconds: Int(duration / .milliseconds(1))
        }
    }
}

/// The few words that a directive may have.
private enum Words<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype> {
    private static var words: [String] { Choice.allCases.map(\.rawValue) }
    private static var allowed: String { words.map(quoted).joined(separator: ", ") }
    static var expected: String { "one of \(allowed)" }

    static func read(_ value: ConfigurationValue) throws(ValueError) -> Choice {
        let text = try value.text(expected)
        if let choice = Choice(rawValue: text) { return choice }
        let near = nearest(to: text, among: words)
        throw ValueError(
            "unknown value \(quoted(text)); allowed: \(allowed)",
            hint: near.map { "did you mean \(quoted($0))?" })
    }
}
