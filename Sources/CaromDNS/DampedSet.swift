// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A set that grows at once and shrinks by the removal rule.
struct DampedSet<Element: Hashable & Sendable>: Sendable {
    private struct Absence {
        var answers = 0
        var lastCounted: Duration?
    }

    private var absences: [Element: Absence] = [:]

    var isEmpty: Bool { absences.isEmpty }
    var members: Set<Element> { Set(absences.keys) }

    func contains(_ element: Element) -> Bool { absences[element] != nil }

    /// Takes a definite answer.
    ///
    /// With `replacing`, an answer at least as large as the set replaces it at once: the members have changed rather
    /// than vanished. Says whether the members have changed.
    mutating func apply(_ answer: Set<Element>, now: Duration, rule: DNSRemovalRule, replacing: Bool) -> Bool
    {
        let before = absences.count
        let missing = absences.keys.filter { !answer.contains($0) }
        let isReplaced = replacing && answer.count >= before
        let needed = missing.count * 2 > before ? rule.answersForMost : rule.answers
        for element in missing {
            guard !isReplaced, var absence = absences[element] else {
                absences[element] = nil
                continue
            }
            if let last = absence.lastCounted, now - last < rule.spacing { continue }
            absence.answers += 1
            absence.lastCounted = now
            absences[element] = absence.answers >= needed ? nil : absence
        }
        var grown = 0
        for element in answer where absences.updateValue(Absence(), forKey: element) == nil { grown += 1 }
        return grown > 0 || absences.count < before
    }

    mutating func removeAll() {
        absences.removeAll()
    }
}
