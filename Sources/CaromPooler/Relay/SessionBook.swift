// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// The books about one client's session settings: what it asked for when it came, what it has set since, and what it has been told.
///
/// A setting that the client never touched is not in them: it has its server's default, whatever that is.
struct SessionBook {
    /// What the client's session began with, and RESET goes back to: its startup packet and the route's `options`.
    private(set) var startup: SettingValues
    /// What its session has now.
    private(set) var wishes: SettingValues
    /// What the client believes that its server reports.
    private(set) var told: SettingValues
    /// Counts changes of the wishes.
    private(set) var version = 0
    /// What the statements since the last look may have done.
    private(set) var effects = StatementEffects.none
    /// Statements that may have changed settings since the last look.
    private var settingChanges = 0
    /// Not all that they may have done can be asked for.
    private(set) var hasUnknownChanges = false
    /// The server could not say what the session is like when it was asked last. It is asked again behind the client's next request, not at once.
    private(set) var isUnanswered = false
    /// Before a statement took the role back another one, since the last look, had set it.
    private var hadSetRole = false
    /// Of the settings that those statements may have changed, or the transaction for itself, what texts are read by.
    private var unsettled: TextSettings = []
    /// Custom settings that the client has named: PostgreSQL does not list them.
    private var customNames: Set<String> = []
    /// What only lives in the session of the server that the client holds: as long as there is any, the client keeps it.
    private(set) var kept = KeptState()
    /// Databases that nobody must be in for what the client has sent since they were asked for.
    private(set) var vacated: [String] = []
    /// What tells this client's settings from those of others, for texts that mean something else under them.
    private var knownMeaning: TextMeaning?

    init(startup: SettingValues = SettingValues(), told: SettingValues = SettingValues()) {
        self.startup = startup
        wishes = startup
        self.told = told
    }

    /// One that was begun in another process, or by another relay.
    init(_ record: SessionRecord) {
        self.init(startup: record.startup, told: record.told)
        wishes = record.wishes
        effects = record.effects
        settingChanges = record.settingChanges
        hasUnknownChanges = record.hasUnknownChanges
        unsettled = record.unsettled
        customNames = Set(record.customNames)
    }

    /// What is in it, for another process; nothing is kept in the session of any server.
    var record: SessionRecord {
        SessionRecord(
            startup: startup, wishes: wishes, told: told, effects: effects, settingChanges: settingChanges,
            hasUnknownChanges: hasUnknownChanges, unsettled: unsettled, customNames: customNames.sorted())
    }

    /// Custom settings beyond this many are not followed.
    private static var mostNames: Int { 256 }

    // MARK: What statements do

    /// A statement with these effects runs.
    mutating func note(_ effects: StatementEffects) {
        // What is set behind a reset of all is not reset.
        if effects.contains(.settings), !effects.contains(.resetsAll) { self.effects.remove(.resetsAll) }
        if effects.contains(.resetsRole), !self.effects.contains(.resetsRole) {
            hadSetRole = self.effects.contains(.setsRole)
        }
        self.effects.append(effects.subtracting(.setsLocally))
        if effects.contains(.settings) { settingChanges += 1 }
        if effects.contains(.resetsAll) { unsettled = .all }
        // A name or a value that is in no text may be among them.
        if !effects.isDisjoint(with: [.resets, .callsUnknown, .runsCode]) { hasUnknownChanges = true }
    }

    /// A statement with these effects has this text, without a terminating zero byte.
    mutating func note(_ effects: StatementEffects, ofText text: RawSpan) {
        if effects.contains(.settings) { note(customNames: SettingNames.custom(in: text)) }
        if !effects.isDisjoint(with: [.settings, .setsLocally]) {
            unsettled.formUnion(TextSettings(namedIn: text))
        }
        if effects.contains(.vacatesDatabase) { vacated += VacatedDatabases.names(in: text) }
    }

    /// The client has got a server: what a transaction has set for itself is gone.
    @inline(__always)
    mutating func attached() {
        if !unsettled.isEmpty, !effects.contains(.settings) { unsettled = [] }
    }

    /// Databases that nobody must be in for what the client has sent since this was asked.
    mutating func takeVacated() -> [String] {
        defer { vacated = [] }
        return vacated
    }

    /// A text with these names may set them.
    mutating func note(customNames names: [String]) {
        for name in names where customNames.count < Self.mostNames { customNames.insert(name.lowercased()) }
        if names.count >= SettingNames.most || customNames.count >= Self.mostNames {
            hasUnknownChanges = true
        }
    }

    /// The query that shows what the session is like.
    var inquiry: [UInt8] {
        var names = customNames
        for setting in wishes.all where setting.name.contains(".") { names.insert(setting.name.lowercased()) }
        return SessionInquiry.query(asking: names.sorted())
    }

    /// Settings that were reset are what they should be.
    ///
    /// - Parameter isOver: no transaction is open that may take that back.
    mutating func settleReset(isOver: Bool) {
        if isOver, settingChanges == 1 {
            effects.remove(.settings)
            settingChanges = 0
            unsettled = []
        }
        effects.subtract([.resets, .resetsAll, .resetsRole, .setsRole])
    }

    /// Nothing is open any more about what statements did.
    mutating func settle() {
        effects = .none
        settingChanges = 0
        hasUnknownChanges = false
        isUnanswered = false
        unsettled = []
    }

    /// The server must be asked, at the end of the transaction, what the session is like.
    var needsInquiry: Bool {
        if effects.isEmpty { return false }
        return !effects.isDisjoint(with: [.settings, .keeps]) || (!kept.isEmpty && effects.contains(.letsGo))
    }

    /// Whether statements of SQL's PREPARE may be among that.
    var mayHaveStatements: Bool {
        effects.contains(.keeps) || !kept.isDisjoint(with: [.statements, .unknown])
    }

    /// Settings that went back to the server's default must go back to what the session began with.
    func needsRepair(after effects: StatementEffects) -> Bool {
        effects.contains(.resets) && !startup.isEmpty
    }

    // MARK: What the session is like

    /// These are set in the session now. What the client began with and is not among them has been reset.
    ///
    /// The role is another matter: a server does not tell whether one that is gone was reset, or taken away by `SET ROLE NONE` or
    /// a new session user. What the statements said about the role last tells.
    ///
    /// - Returns: what is set in the session, with the role that was taken away as `none`.
    @discardableResult
    mutating func found(_ applied: SettingValues) -> SettingValues {
        var applied = applied
        if applied["role"] == nil, startup["role"] != nil, !effects.contains(.resetsRole) {
            applied.set("role", to: "none")
        }
        var wanted = applied
        wanted.fill(from: startup)
        setWishes(wanted)
        return applied
    }

    /// One setting went back to what the session began with.
    mutating func reset(_ name: String) {
        var wanted = wishes
        wanted.remove(name)
        if let value = startup[name] { wanted.set(name, to: value) }
        setWishes(wanted)
    }

    /// All settings went back.
    mutating func reset() { setWishes(startup) }

    /// Whether all settings have gone back and nothing else has happened to them. RESET ALL leaves the role alone, so of a session
    /// with a role that is not known.
    private var onlyResetsAll: Bool {
        effects.contains(.resetsAll) && settingChanges == 1
            && [wishes, startup].allSatisfy { $0["role"] == nil && $0["session_authorization"] == nil }
    }

    private mutating func setWishes(_ wanted: SettingValues) {
        let isSame = wanted == wishes
        // Assigned all the same: tables that were assigned from one another compare at once.
        wishes = wanted
        if isSame { return }
        version += 1
        knownMeaning = nil
    }

    /// The settings that a text of this client is read by.
    ///
    /// Nil while settings may have changed since the last look: a statement that is parsed now is nobody else's.
    var meaning: TextMeaning? {
        mutating get {
            if effects.contains(.settings) { return nil }
            if let knownMeaning { return knownMeaning }
            let meaning = TextMeaning(wishes)
            knownMeaning = meaning
            return meaning
        }
    }

    /// What has to be set so that a server reads a text as it was read at its Parse.
    ///
    /// - Parameter content: of the Parse.
    /// - Returns: nil if that is not known, because a setting that matters to the text may have changed, and no open block of a
    ///   transaction takes back what is set.
    func detour(of content: [UInt8], to then: TextMeaning, _ flow: borrowing QueryFlow)
        -> TextSettings.Detour?
    {
        if !effects.contains(.settings), unsettled.isEmpty, let knownMeaning,
            knownMeaning === then || knownMeaning.key == then.key
        {
            return TextSettings.Detour()
        }
        let text = content.prefix { $0 != 0 }
        var mattering = TextSettings(mattering: text.span.bytes)
        if unsettled.contains(.path) || then.settings["search_path"] != wishes["search_path"] {
            // PostgreSQL looks again when it is bound.
            mattering.subtract([.literals, .nulls])
        }
        if mattering.isDisjoint(with: unsettled) { return mattering.detour(to: then.settings, from: wishes) }
        guard flow.transactionStatus == .inTransaction, flow.isSynchronized else { return nil }
        return mattering.detourInBlock(to: then.settings, from: wishes, open: unsettled)
    }

    /// The transaction has failed: a role that was taken back in it was not.
    mutating func failed() { effects.remove(.resetsRole) }

    // MARK: Questions

    /// What the server is asked, statement by statement.
    func statements(for question: SessionQuestion, _ server: borrowing ServerState) -> [[UInt8]] {
        switch question {
        case .isFree, .whatIsHeard: []
        case .rollBack: [Array("ROLLBACK".utf8)]
        case .whatIsLeft, .whatWasReset: [inquiry]
        // A role may have been set for the transaction.
        case .restore:
            wishes.statements(
                from: server.applied, keepsIdentity: server.flow.transactionStatus != .idle)
        }
    }

    /// Settings went back to the server's defaults: they must go back to what the session began with.
    ///
    /// - Parameters:
    ///   - resetAlone: the one setting that went back, if that is all that happened.
    ///   - isCertain: what was to take them back has run.
    /// - Returns: what the server is asked; nil if nothing is to be done.
    mutating func repair(_ server: inout ServerState, resetAlone: String?, isCertain: Bool)
        -> SessionQuestion?
    {
        // What else has changed since the last look is not known.
        if let resetAlone, settingChanges == 1 {
            var applied = server.applied
            applied.remove(resetAlone)
            server.apply(applied)
            reset(resetAlone)
            return wishes == applied ? nil : .restore(isAwaited: true)
        }
        guard onlyResetsAll, isCertain else {
            // A role that was none before and is none now was not reset by what failed.
            if !isCertain, hadSetRole || wishes["role"] == "none" { effects.remove(.resetsRole) }
            return .whatWasReset
        }
        server.apply(SettingValues())
        reset()
        return .restore(isAwaited: true)
    }

    /// The server has answered.
    ///
    /// - Returns: what it is asked next.
    mutating func answered(
        _ question: SessionQuestion, _ server: inout ServerState, keepsServer: Bool, pins: Bool,
        _ counters: Counters
    ) -> SessionQuestion? {
        let hasFailed = server.takeSuppressedError() != nil
        let answer = server.takeAnswer()
        let before = kept
        defer { counters.count(pins: kept.subtracting(before)) }
        switch question {
        case .isFree, .rollBack, .restore, .whatIsHeard: return nil
        case .whatIsLeft:
            if let answer, !hasFailed {
                settle(answer, &server, pins: pins)
            } else {
                // A short statement_timeout is enough for that.
                keepUnknown(&server)
            }
            return !kept.isEmpty && wishes != server.applied ? .restore(isAwaited: false) : nil
        case .whatWasReset:
            guard let answer, !hasFailed else { return nil }
            server.apply(found(answer.settings))
            if server.flow.isFree, !keepsServer { settle(answer, &server, pins: pins) }
            return wishes != server.applied ? .restore(isAwaited: true) : nil
        }
    }

    /// Nobody knows what the session is like: the client keeps it.
    mutating func keepUnknown(_ server: inout ServerState) {
        server.requireReset()
        server.taint(.everything)
        kept.insert(.unknown)
        isUnanswered = true
    }

    /// The server listens to nothing any more: others do so for the client.
    mutating func letGoOfChannels() { kept.remove(.channels) }

    private mutating func settle(_ answer: SessionInquiry.Answer, _ server: inout ServerState, pins: Bool) {
        server.apply(found(answer.settings))
        kept = pins ? answer.kept : KeptState()
        if !answer.kept.isEmpty { server.taint(.everything) }
        if answer.kept.isEmpty, !hasUnknownChanges { server.clearTaint() }
        settle()
    }

    // MARK: What the client is told

    /// The server reports this; the messages that tell the client what it does not know yet.
    mutating func tell(_ reported: SettingValues) -> [UInt8] {
        if told == reported { return [] }
        var messages: [UInt8] = []
        for setting in reported.differences(from: told) {
            ParameterStatus(name: setting.name, value: setting.value).encode(into: &messages)
        }
        told = reported
        return messages
    }

    /// The client has been told this by its server itself.
    mutating func wasTold(_ reported: SettingValues) { told = reported }

    /// A message that changes nothing for the client, whenever it comes: a parameter that it knows already, if it knows any.
    func repetition() -> [UInt8] {
        guard let known = told.all.last else { return PresenceCheck.notice }
        var message: [UInt8] = []
        ParameterStatus(name: known.name, value: known.value).encode(into: &message)
        return message
    }
}
