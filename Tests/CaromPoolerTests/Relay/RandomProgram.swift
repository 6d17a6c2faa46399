// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// What random programs are made of.
///
/// What takes settings or all statements back stands alone, as programs have it: behind it in one message or batch the server's
/// defaults show.
struct RandomProgram {
    private let names = ["a", "b", "c", "Long name", "carom_1", "carom_2"]
    private let settings = ["x", "y", "my.z"]
    let isDeallocating: Bool
    /// The unnamed statement is changed once a turn at the most, and used in one batch: of several under way only the last is followed.
    private var hasUnnamed = false
    private var usesUnnamed = true

    init(isDeallocating: Bool) { self.isDeallocating = isDeallocating }

    /// A text for a statement of this name, which the client prepares under no other.
    ///
    /// What ends a transaction is not prepared in one that failed, and what no parser takes has a name of its own.
    private func text(for name: String, _ random: inout SeededRandom) -> String {
        if name == "c" { return "BAD" }
        return [
            "SELECT 1 \(name)", "SELECT 2 \(name)", "SHOW x \(name)", "FAIL \(name)", "SET y = '\(name)'",
            "LISTEN l \(name)",
        ]
        .randomElement(using: &random)!
    }

    private func text(_ random: inout SeededRandom) -> String {
        let setting = settings.randomElement(using: &random)!
        switch Int.random(in: 0..<18, using: &random) {
        case 0: return "BEGIN"
        case 1, 2: return "COMMIT"
        case 3: return "ROLLBACK"
        case 4, 5: return "SET \(setting) = '\(Int.random(in: 1...3, using: &random))'"
        case 6: return "UNLISTEN *"
        case 7, 8: return "SHOW \(setting)"
        default: return ["SELECT 1", "SELECT 2", "FAIL", "BAD", "LISTEN l"].randomElement(using: &random)!
        }
    }

    private func lonely(_ random: inout SeededRandom, mayDeallocate: Bool = true) -> String {
        let setting = settings.randomElement(using: &random)!
        if isDeallocating, mayDeallocate, Bool.random(using: &random) {
            return "DEALLOCATE " + ["a", "b", "\"Long name\"", "ALL", "none"].randomElement(using: &random)!
        }
        return ["RESET \(setting)", "RESET ALL", "SET \(setting) TO DEFAULT"].randomElement(using: &random)!
    }

    /// One turn: it ends with an answer to all of it.
    mutating func turn(_ random: inout SeededRandom) -> [UInt8] {
        var messages = Messages()
        hasUnnamed = false
        let batch = Int.random(in: 0..<4, using: &random)
        for place in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                let count = [1, 1, 1, 2, 3].randomElement(using: &random)!
                messages.query((0..<count).map { _ in text(&random) }.joined(separator: "; "))
            case 2:
                messages.sync()
                messages.query(lonely(&random))
            case 3 where place == batch:
                messages.sync()
                messages.parse("", lonely(&random, mayDeallocate: place == 0))
                messages.run("")
                messages.close("")
                messages.sync()
            default:
                usesUnnamed = place == batch
                if usesUnnamed { messages.sync() }
                for _ in 0..<Int.random(in: 0...5, using: &random) { extended(&messages, &random) }
                if usesUnnamed || Int.random(in: 0..<6, using: &random) > 0 { messages.sync() }
            }
        }
        messages.sync()
        return messages.bytes
    }

    private mutating func extended(_ messages: inout Messages, _ random: inout SeededRandom) {
        let name =
            usesUnnamed && Int.random(in: 0..<3, using: &random) == 0
            ? "" : names.randomElement(using: &random)!
        switch Int.random(in: 0..<12, using: &random) {
        case 0...3 where !name.isEmpty: messages.parse(name, text(for: name, &random))
        case 0...3 where !hasUnnamed:
            hasUnnamed = true
            messages.parse("", text(&random))
        case 4 where !name.isEmpty: messages.close(name)
        case 4 where !hasUnnamed:
            hasUnnamed = true
            messages.close("")
        case 5: messages.flush()
        case 6: messages.bind(name, parameters: [[0x31]])
        default: messages.run(name)
        }
    }
}
