// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What an ini file of PgBouncer's says, section by section.
struct PgBouncerFile: Sendable {
    /// An entry of `[databases]`, `[users]` or `[peers]`.
    struct Named: Sendable {
        let name: String
        let values: IniValues
    }

    /// `[pgbouncer]`.
    private(set) var main: IniValues
    /// In the order of the file. Of a name that comes twice, the last.
    private(set) var databases: [Named] = []
    private(set) var users: [Named] = []
    /// By their numbers.
    private(set) var peers: [Named] = []
    /// The file and all that it includes, in the order they were opened.
    let files: [String]
    /// What those say that it includes.
    let texts: [String: [UInt8]]
    var findings: ConfigurationFindings

    /// The console's; nobody else can have it.
    static let consoleDatabase = "pgbouncer"

    /// - Parameter changes: come behind the last entry of `[pgbouncer]`.
    init(text: [UInt8], file: String, source: ConfigurationSource, behind changes: [IniEntry] = []) {
        let reader = IniReader(text: text, file: file, source: source)
        files = reader.files
        texts = reader.texts
        findings = reader.findings
        let start = ConfigurationPosition(file: file, line: 1, column: 1)
        main = IniValues(IniKeys.main, at: start)
        var section: IniKeys.Section?
        var isKnown = true
        for item in reader.items {
            switch item {
            case .section(let name, let position):
                section = IniKeys.all.first { $0.name == name }
                isKnown = section != nil
                if !isKnown { reportUnknown(name, at: position) }
                if name == IniKeys.main.name { beginMain(at: position) }
            case .entry(let entry):
                if let section {
                    add(entry, to: section)
                } else if isKnown {
                    findings.report(
                        entry.position, "there is no section in front of \(quoted(entry.key))",
                        hint: "a file begins with [pgbouncer] or another section")
                    // Said once: all that follows has the same trouble.
                    isKnown = false
                }
            }
        }
        for change in changes { main.set(change, &findings) }
        main.warnOfIgnored(&findings)
    }

    /// PgBouncer has everything as it is by default when the section begins, also where it comes again.
    private mutating func beginMain(at position: ConfigurationPosition) {
        if !main.isEmpty {
            findings.warn(
                position, "[\(IniKeys.main.name)] comes again: what it has said before has no effect")
        }
        main = IniValues(IniKeys.main, at: position)
    }

    private mutating func reportUnknown(_ name: String, at position: ConfigurationPosition) {
        let names = IniKeys.all.map(\.name)
        let near = nearest(to: name, among: names)
        findings.report(
            position,
            "unknown section [\(name)]; allowed: \(names.map { "[\($0)]" }.joined(separator: ", "))",
            hint: near.map { "did you mean [\($0)]?" })
    }

    private mutating func add(_ entry: IniEntry, to section: IniKeys.Section) {
        switch section.name {
        case IniKeys.main.name: main.set(entry, &findings)
        case IniKeys.database.name:
            if entry.key == Self.consoleDatabase {
                return findings.report(
                    entry.position, "the database \(quoted(entry.key)) is the console's")
            }
            put(entry, section, into: \.databases)
        case IniKeys.user.name: put(entry, section, into: \.users)
        default: addPeer(entry, section)
        }
    }

    private mutating func put(
        _ entry: IniEntry, _ section: IniKeys.Section, into list: WritableKeyPath<PgBouncerFile, [Named]>
    ) {
        let named = Named(name: entry.key, values: IniValues(section, entry, &findings))
        if let index = self[keyPath: list].firstIndex(where: { $0.name == entry.key }) {
            self[keyPath: list][index] = named
        } else {
            self[keyPath: list].append(named)
        }
    }

    private mutating func addPeer(_ entry: IniEntry, _ section: IniKeys.Section) {
        let ids = PeerSettings.ids
        guard let id = IniKey.number(entry.key), ids.contains(id) else {
            return findings.report(
                entry.position, "the number of a peer is \(ids.sentence), not \(quoted(entry.key))")
        }
        // The same number may be written in several ways.
        let numbered = IniEntry(
            key: "\(id)", value: entry.value, position: entry.position, valuePosition: entry.valuePosition)
        put(numbered, section, into: \.peers)
    }
}
