// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What an operator has paused and disabled, by the names that clients have for databases. It outlives a reload, not the process.
struct DatabaseSwitches: Equatable, Sendable {
    /// All are paused, whatever is said of each.
    private(set) var arePaused = false
    /// Nothing is read from clients and servers.
    private(set) var isSuspended = false
    private var paused: Set<String> = []
    private var disabled: Set<String> = []

    /// Why a command is not obeyed.
    enum Refusal: Error, Equatable {
        case alreadyPaused
        case notPaused
        case isNotPaused(String)
    }

    /// Whether transactions of the database wait.
    func isPaused(_ database: String) -> Bool { arePaused || paused.contains(database) }

    /// Whether new clients of the database are refused.
    func isDisabled(_ database: String) -> Bool { disabled.contains(database) }

    /// Nothing is disabled, so nobody has to ask.
    var isEverythingEnabled: Bool { disabled.isEmpty }

    /// - Parameter database: nil for all.
    mutating func pause(_ database: String?) throws(Refusal) {
        if arePaused || isSuspended { throw .alreadyPaused }
        if let database { paused.insert(database) } else { arePaused = true }
    }

    mutating func suspend() throws(Refusal) {
        if arePaused || isSuspended { throw .alreadyPaused }
        isSuspended = true
    }

    /// Everything is read again, whoever has said so.
    mutating func endSuspension() { isSuspended = false }

    /// What was paused by its own name stays so when all are resumed.
    mutating func resume(_ database: String?) throws(Refusal) {
        guard let database else {
            if !arePaused, !isSuspended { throw .notPaused }
            arePaused = false
            isSuspended = false
            return
        }
        if paused.remove(database) == nil { throw .isNotPaused(database) }
    }

    /// Each by its own name, as `KILL` leaves them.
    mutating func pauseEach(_ databases: Set<String>) throws(Refusal) {
        if arePaused || isSuspended { throw .alreadyPaused }
        paused.formUnion(databases)
    }

    mutating func disable(_ database: String) { disabled.insert(database) }
    mutating func enable(_ database: String) { disabled.remove(database) }
}
