// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A block that says after how long something ends.
protocol TimeLimited {
    var limits: TimeLimits { get set }
}

extension Settings: TimeLimited {}
extension RouteSettings: TimeLimited {}

extension Directive where Scope: TimeLimited & SendableMetatype {
    /// What may stand at the top, for all routes, and in a route. PgBouncer's names have PgBouncer's units.
    static var timeLimits: [Self] {
        [
            .limit("query_timeout", in: .seconds, \.limits.query),
            .limit("transaction_timeout", in: .seconds, \.limits.transaction),
            .limit("idle_transaction_timeout", in: .seconds, \.limits.idleTransaction),
            .limit(
                "pool_idle_in_transaction_timeout", in: .seconds, \.limits.idleTransaction,
                meaning: "idle_transaction_timeout"),
            .limit("client_idle_timeout", in: .seconds, \.limits.clientIdle),
            .limit(
                "pool_client_idle_timeout", in: .seconds, \.limits.clientIdle, meaning: "client_idle_timeout"),
            .limit("pool_timeout", in: .milliseconds, \.limits.wait),
            .limit("query_wait_timeout", in: .seconds, \.limits.wait, meaning: "pool_timeout"),
            .limit("query_wait_notify", in: .seconds, \.limits.waitNotice),
            noticeAfterWaiting,
            .limit("pool_ttl", in: .seconds, \.limits.serverIdle),
            .limit("server_idle_timeout", in: .seconds, \.limits.serverIdle, meaning: "pool_ttl"),
            .limit("server_lifetime", in: .seconds, \.limits.serverLifetime),
        ]
    }

    /// Odyssey's name for `query_wait_notify`: -1 is never, and 0 at once.
    private static var noticeAfterWaiting: Self {
        Directive(
            name: "pool_notice_after_waiting_ms",
            expects: "a whole number of at least -1, in milliseconds", canonical: "query_wait_notify",
            read: { value, scope throws(ValueError) in
                let time = try value.number(in: -1...Int(Int32.max), unit: .milliseconds)
                scope.limits.waitNotice = time < 0 ? .never : .after(.milliseconds(max(1, time)))
            },
            write: { scope in
                scope.limits.waitNotice.map { limit in
                    limit.duration.map(TimeUnit.milliseconds.text) ?? "-1"
                }
            })
    }

    /// A time, where 0 means that it never comes.
    ///
    /// - Parameter canonical: the name that says the same, of which this one is another.
    static func limit(
        _ name: String, in unit: TimeUnit, _ path: Path<TimeLimit?>, meaning canonical: String? = nil
    ) -> Self {
        Directive(
            name: name, expects: "\(ConfigurationValue.times.sentence), in \(unit.rawValue)",
            canonical: canonical,
            read: { value, scope throws(ValueError) in
                let time = try value.time(in: unit)
                scope[keyPath: path] = time == .zero ? .never : .after(time)
            },
            write: { scope in
                scope[keyPath: path].map { unit.text($0.duration ?? .zero) }
            })
    }

    /// Another name for a time that must not be zero.
    static func time(
        _ name: String, in unit: TimeUnit, _ path: Path<Duration>, meaning canonical: String
    ) -> Self {
        Directive(
            name: name, expects: "\(ConfigurationValue.times.sentence), in \(unit.rawValue)",
            canonical: canonical,
            read: { value, scope throws(ValueError) in
                let time = try value.time(in: unit)
                guard time > .zero else { throw ValueError("0 is out of range; expected more") }
                scope[keyPath: path] = time
            },
            write: { unit.text($0[keyPath: path]) })
    }

    /// Another name for a time, where 0 means that it never comes.
    static func time(
        _ name: String, in unit: TimeUnit, orNever path: Path<Duration?>, meaning canonical: String
    ) -> Self {
        Directive(
            name: name, expects: "\(ConfigurationValue.times.sentence), in \(unit.rawValue)",
            canonical: canonical,
            read: { value, scope throws(ValueError) in
                let time = try value.time(in: unit)
                scope[keyPath: path] = time == .zero ? nil : time
            },
            write: { unit.text($0[keyPath: path] ?? .zero) })
    }
}

extension ConfigurationValue {
    static var times: ClosedRange<Int> { 0...Int(Int32.max) }

    /// The value as a time. Seconds may have three decimals.
    func time(in unit: TimeUnit) throws(ValueError) -> Duration {
        guard case .number(let text) = content, unit == .seconds, let point = text.firstIndex(of: ".") else {
            return unit.duration(try number(in: Self.times, unit: unit))
        }
        let (whole, decimals) = (text[..<point], text[text.index(after: point)...])
        guard (1...3).contains(decimals.count), decimals.allSatisfy(\.isDecimal), let part = Int(decimals),
            whole.allSatisfy(\.isDecimal), let seconds = Int(whole)
        else {
            throw ValueError(
                "expected \(Self.times.sentence), found '\(text)'",
                hint: "the value is in seconds, with up to three decimals, and has no suffix")
        }
        guard Self.times.contains(seconds) else {
            throw ValueError("\(text) is out of range; expected \(Self.times.sentence)")
        }
        let scale = [100, 10, 1][decimals.count - 1]
        return .seconds(seconds) + .milliseconds(part * scale)
    }
}

extension Character {
    fileprivate var isDecimal: Bool { "0"..."9" ~= self }
}

extension TimeUnit {
    /// As a configuration says it.
    func text(_ duration: Duration) -> String {
        let milliseconds = TimeUnit.milliseconds.count(duration)
        if self == .milliseconds { return "\(milliseconds)" }
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
        if rest == 0 { return "\(seconds)" }
        var decimals = String(1_000 + rest).dropFirst()
        while decimals.last == "0" { decimals.removeLast() }
        return "\(seconds).\(decimals)"
    }
}
