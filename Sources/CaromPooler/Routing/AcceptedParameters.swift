// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// The session settings that clients of a route asked for and a server accepted, with what the server reported then: `utc` becomes
/// `UTC`, and what nobody asked for has the server's default. So a server is asked once for each set of values, not for each
/// client.
///
/// What servers report changes without notice, by a promotion or a reload; a server says so with its next answer. So what is known is
/// good for a moment only; then a server is asked again.
final class AcceptedParameters: Sendable {
    /// What a client with certain settings is told.
    final class Entry: Sendable {
        /// The settings that it asked for.
        let wishes: SettingValues
        /// What a server with these reports.
        let told: SettingValues
        /// AuthenticationOk and a ParameterStatus for each setting that is reported.
        private let beginning: [UInt8]

        init(_ wishes: SettingValues, told: SettingValues) {
            self.wishes = wishes
            self.told = told
            var bytes: [UInt8] = []
            AuthenticationRequest.ok.encode(into: &bytes)
            for parameter in told.all {
                ParameterStatus(name: parameter.name, value: parameter.value).encode(into: &bytes)
            }
            beginning = bytes
        }

        /// The whole greeting, with the client's own key.
        func greeting(_ key: BackendKeyData) -> [UInt8] {
            var bytes = beginning
            key.encode(into: &bytes)
            bytes.append(contentsOf: ReadyForQuery.idleMessage)
            return bytes
        }
    }

    private struct Known {
        /// What was reported last for a session in which nothing was set.
        var defaults: SettingValues?
        var sets: [SettingValues: SettingValues] = [:]
        /// What became of single values: of `utc`, `UTC`.
        var spellings: [StartupParameter: String] = [:]
        var recent: [(wanted: SettingValues, entry: Entry)] = []
        var oldest = 0
    }

    private let known = Mutex(Known())
    private let changes = Atomic<Int>(0)
    /// When a server was asked last, in nanoseconds of `Deadline`.
    private let heardAt = Atomic<UInt64>(0)

    /// Changes with the defaults: what was accepted before must be asked again.
    var generation: Int { changes.load(ordering: .acquiring) }

    /// Sets that are kept. Clients can invent as many as they like; those that matter are few.
    private static let limit = 256
    private static let recentLimit = 8
    /// Every value of it is accepted, and many programs put a process number into it.
    private static let free = "application_name"
    /// How long an answer is good for.
    private static let freshness = Duration.milliseconds(500)

    /// Whether what is known is still to be believed.
    func isFresh(at now: Deadline) -> Bool {
        let heard = heardAt.load(ordering: .relaxed)
        return heard != 0 && Self.isFresh(Deadline(nanoseconds: heard), at: now)
    }

    /// Whether what a server reported then is still to be believed.
    static func isFresh(_ heard: Deadline, at now: Deadline) -> Bool {
        now.nanoseconds &- heard.nanoseconds < UInt64(freshness.nanoseconds)
    }

    /// A server has reported something that nobody asked for: the next client's server is asked.
    func expire() { heardAt.store(0, ordering: .relaxed) }

    /// Something is known of the route's servers.
    var isKnown: Bool { known.withLock { $0.defaults != nil } }

    /// Whether a client can be told what becomes of its settings before a server has it: of each that is reported, a server has
    /// spelled this value before. If not, what it would be told is its own spelling, and programs rely on the server's: with
    /// `standard_conforming_strings=true` libpq doubles backslashes.
    func canTell(_ wanted: SettingValues) -> Bool {
        known.withLock { known in
            guard let defaults = known.defaults else { return false }
            return wanted.all.allSatisfy { setting in
                guard let usual = defaults[setting.name] else { return true }
                return usual == setting.value || Self.isFree(setting) || known.spellings[setting] != nil
            }
        }
    }

    /// What a client with these settings is told; nil if only a server can tell.
    func entry(for wanted: SettingValues, at now: Deadline) -> Entry? {
        guard isFresh(at: now) else { return nil }
        return known.withLock { known in
            if let same = known.recent.first(where: { $0.wanted == wanted }) { return same.entry }
            guard var told = known.sets[Self.key(wanted)] else { return nil }
            if wanted[Self.free].map(Self.isPlain) != false {
                guard let name = wanted[Self.free] ?? known.defaults?[Self.free] else { return nil }
                told.set(Self.free, to: name)
            }
            return Self.remember(wanted, told, in: &known)
        }
    }

    /// A server has accepted `wanted`, and reports this now.
    ///
    /// - Parameter initial: what it reported after its login.
    func record(_ wanted: SettingValues, reported: SettingValues, initial: SettingValues, at now: Deadline)
        -> Entry
    {
        known.withLock { known in
            if known.defaults?.agrees(with: reported, butFor: wanted) != true {
                var defaults = known.defaults ?? initial
                for setting in reported.all where wanted[setting.name] == nil {
                    defaults.set(setting.name, to: setting.value)
                }
                known = Known()
                known.defaults = defaults
                changes.wrappingAdd(1, ordering: .releasing)
            }
            heardAt.store(now.nanoseconds, ordering: .relaxed)
            if known.sets.count >= Self.limit { known.sets.removeAll() }
            known.sets[Self.key(wanted)] = reported
            for setting in wanted.all where !Self.isFree(setting) {
                guard let spelling = reported[setting.name] else { continue }
                if known.spellings.count >= Self.limit { known.spellings.removeAll() }
                known.spellings[setting] = spelling
            }
            return Self.remember(wanted, reported, in: &known)
        }
    }

    /// For a client that is greeted before a server could be asked: the last that was heard.
    func unconfirmed(_ wanted: SettingValues) -> Entry {
        known.withLock { known in
            var told = known.defaults ?? SettingValues()
            for setting in wanted.all where told[setting.name] != nil {
                told.set(setting.name, to: known.spellings[setting] ?? setting.value)
            }
            return Entry(wanted, told: told)
        }
    }

    private static func remember(_ wanted: SettingValues, _ told: SettingValues, in known: inout Known)
        -> Entry
    {
        let entry = Entry(wanted, told: told)
        if let place = known.recent.firstIndex(where: { $0.wanted == wanted }) {
            known.recent[place].entry = entry
        } else if known.recent.count < recentLimit {
            known.recent.append((wanted, entry))
        } else {
            known.recent[known.oldest] = (wanted, entry)
            known.oldest = (known.oldest + 1) % recentLimit
        }
        return entry
    }

    private static func isFree(_ setting: StartupParameter) -> Bool {
        setting.name.lowercased() == free && isPlain(setting.value)
    }

    private static func key(_ wanted: SettingValues) -> SettingValues {
        guard let name = wanted[free], isPlain(name) else { return wanted }
        var key = wanted
        key.remove(free)
        return key
    }

    /// PostgreSQL takes the name as it is: it cuts it after 63 bytes, and replaces what is not printable ASCII.
    private static func isPlain(_ name: String) -> Bool {
        name.utf8.count <= 63 && name.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }
}
