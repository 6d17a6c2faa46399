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

    private func lonely(_ random: inout SeededRandom) -> String {
        let setting = settings.randomElement(using: &random)!
        if isDeallocating, Bool.random(using: &random) { return deallocation(&random) }
        return ["RESET \(setting)", "RESET ALL", "SET \(setting) TO DEFAULT"].randomElement(using: &random)!
    }

    private func deallocation(_ random: inout SeededRandom) -> String {
        "DEALLOCATE " + ["a", "b", "\"Long name\"", "ALL", "none"].randomElement(using: &random)!
    }

    /// One turn: it ends with an answer to all of it.
    func turn(_ random: inout SeededRandom) -> [UInt8] {
        var messages = Messages()
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                let count = [1, 1, 1, 2, 3].randomElement(using: &random)!
                messages.query((0..<count).map { _ in text(&random) }.joined(separator: "; "))
            case 2:
                messages.sync()
                messages.query(lonely(&random))
            case 3:
                messages.sync()
                messages.parse("", lonely(&random))
                messages.run("")
                messages.close("")
                messages.sync()
            default:
                for _ in 0..<Int.random(in: 0...5, using: &random) { extended(&messages, &random) }
                if Int.random(in: 0..<6, using: &random) > 0 { messages.sync() }
            }
        }
        messages.sync()
        return messages.bytes
    }

    private func extended(_ messages: inout Messages, _ random: inout SeededRandom) {
        let isUnnamed = Int.random(in: 0..<4, using: &random) == 0
        let name = isUnnamed ? "" : names.randomElement(using: &random)!
        switch Int.random(in: 0..<12, using: &random) {
        case 0...3: messages.parse(name, isUnnamed ? text(&random) : text(for: name, &random))
        case 4: messages.close(name)
        case 5: messages.flush()
        case 6: messages.bind(name, parameters: [[0x31]])
        case 7 where isDeallocating:
            messages.parse("", deallocation(&random))
            messages.run("")
        default: messages.run(name)
        }
    }
}
