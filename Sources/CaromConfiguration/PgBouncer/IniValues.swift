// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a section, or an entry of one, says: each value fits its key.
struct IniValues: Sendable {
    let section: IniKeys.Section
    /// Where it begins.
    let position: ConfigurationPosition
    /// By the canonical names of keys. Of a key that is given twice, the last.
    private var entries: [String: IniEntry] = [:]

    init(_ section: IniKeys.Section, at position: ConfigurationPosition) {
        self.section = section
        self.position = position
    }

    /// Reads the value of an entry of `[databases]`, `[users]` or `[peers]`.
    init(_ section: IniKeys.Section, _ entry: IniEntry, _ findings: inout ConfigurationFindings) {
        self.init(section, at: entry.position)
        var followsSecret = false
        for pair in ConnectString(entry, &findings).entries {
            if followsSecret, section[pair.key] == nil {
                // A password with a blank in it falls to pieces; the pieces are not for the log.
                findings.report(
                    pair.position, "unknown key behind a password",
                    hint: "a value with blanks stands in single quotes")
            } else {
                set(pair, &findings)
            }
            followsSecret = followsSecret || section[pair.key]?.isSecret == true
        }
    }

    mutating func set(_ entry: IniEntry, _ findings: inout ConfigurationFindings) {
        guard let key = section[entry.key] else { return reportUnknown(entry, &findings) }
        if let objection = key.objection(to: entry.value) {
            return findings.report(
                entry.valuePosition, "\(key.name): \(objection.message)", hint: objection.hint)
        }
        entries[key.canonical ?? key.name] = entry
    }

    private func reportUnknown(_ entry: IniEntry, _ findings: inout ConfigurationFindings) {
        let message = "unknown key \(quoted(entry.key)) in [\(section.name)]"
        if let near = nearest(to: entry.key, among: section.keys.map(\.name)) {
            return findings.report(entry.position, message, hint: "did you mean \(near)?")
        }
        let homes = IniKeys.all.filter { $0[entry.key] != nil }.map { "[\($0.name)]" }
        let names = section.keys.filter { $0.canonical == nil }.map(\.name).joined(separator: ", ")
        findings.report(
            entry.position, message,
            hint: homes.isEmpty
                ? "allowed: \(names)" : "it belongs into \(homes.joined(separator: " or "))")
    }

    /// Every key that has a meaning here, and what holds.
    var shown: [Settings.Entry] {
        section.keys.filter { $0.isIgnoredBecause == nil && $0.canonical == nil }.map { key in
            // It may be empty, which is no secret.
            let given = entries[key.name].map { key.isSecret && !$0.value.isEmpty ? "***" : $0.value }
            return Settings.Entry(
                name: key.name, value: given ?? key.standard, standard: key.standard,
                needsRestart: key.needsRestart)
        }
    }

    /// Whether nothing was given.
    var isEmpty: Bool { entries.isEmpty }

    /// Warns once of each key that is given and does nothing.
    func warnOfIgnored(_ findings: inout ConfigurationFindings) {
        for key in section.keys {
            guard let reason = key.isIgnoredBecause, let entry = entries[key.canonical ?? key.name],
                entry.key == key.name
            else { continue }
            findings.warn(entry.position, "'\(key.name)' has no effect: \(reason)")
        }
    }

    /// Where a key was given; nil if it was not.
    func position(of key: String) -> ConfigurationPosition? { entries[key]?.position }

    /// Where a key was given, or else where a complaint about it belongs.
    func place(of key: String) -> ConfigurationPosition { position(of: key) ?? position }

    /// What was given, or what holds without; nil if that is nothing.
    func text(_ key: String) -> String? {
        let text = entries[key]?.value ?? section[key]?.standard
        return text?.isEmpty == false ? text : nil
    }

    /// A number, or what holds without one.
    func number(_ key: String) -> Int? { text(key).flatMap(IniKey.number) }

    /// A number that is no limit when it is 0.
    func limit(_ key: String) -> Int? { number(key).flatMap { $0 == 0 ? nil : $0 } }

    func flag(_ key: String) -> Bool { number(key) ?? 0 != 0 }

    /// Of a time, down to milliseconds; what is shorter than one is one.
    func time(_ key: String) -> Duration? {
        text(key).flatMap(IniKey.seconds).map { seconds in
            let milliseconds = (seconds * 1_000).rounded()
            return .milliseconds(seconds > 0 ? max(1, Int(milliseconds)) : 0)
        }
    }

    /// A time that never comes when it is 0.
    func timeOrNever(_ key: String) -> Duration? { time(key).flatMap { $0 == .zero ? nil : $0 } }

    /// The same where nothing said is another thing.
    func timeLimit(_ key: String) -> TimeLimit? {
        time(key).map { $0 == .zero ? .never : .after($0) }
    }

    /// Names with commas between them.
    func names(_ key: String) -> [String] {
        (text(key) ?? "").split(separator: ",").map { HostPort.trimmed($0) }.filter { !$0.isEmpty }
    }

    /// A word, in small letters.
    func word(_ key: String) -> String { (text(key) ?? "").lowercased() }
}
