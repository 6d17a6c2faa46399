// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// An `ident_file` in PostgreSQL's format (`pg_ident.conf`): which users those may be who have proved another name, a line each of the
/// map's name, the proved name, and the user. A proved name that begins with `/` is a regular expression, and `\1` in the user stands for
/// its first group.
package struct IdentityMap: Sendable {
    fileprivate struct Entry: Sendable {
        let map: String
        let proved: String
        /// The regular expression, if it is one.
        let pattern: NamePattern?
        let user: String
    }

    private let entries: [Entry]
    /// Of the file and those that it includes.
    package let paths: [String]

    /// No map of any name.
    package init() {
        entries = []
        paths = []
    }

    /// Reads a file.
    ///
    /// - Throws: all lines with something wrong in them.
    package init(ofFileAt path: String) throws(AccessFileFindings) { try self.init(ofFileAt: path, .files) }

    init(ofFileAt path: String, _ source: ConfigurationSource) throws(AccessFileFindings) {
        let content = try AccessFileLines(ofFileAt: path, source)
        var entries: [Entry] = []
        var found: [AccessFileFindings.Finding] = []
        for line in content.lines {
            guard line.fields.count >= 3, line.fields.prefix(3).allSatisfy({ $0.count == 1 }) else {
                found.append(
                    .init(line: line.number, "expected the map's name, the proved name and the user"))
                continue
            }
            let proved = line.fields[1][0].text
            do throws(NamePattern.Trouble) {
                entries.append(
                    Entry(
                        map: line.fields[0][0].text, proved: proved,
                        pattern: try NamePattern(ofName: proved), user: line.fields[2][0].text))
            } catch {
                found.append(.init(line: line.number, "\(error)"))
            }
        }
        if !found.isEmpty { throw AccessFileFindings(path: path, found) }
        self.entries = entries
        paths = content.paths
    }

    /// Whether somebody who has proved a name may be a user; without a map, whether the two are the same.
    package func allows(_ proved: String, toBe user: String, by map: String?) -> Bool {
        // By their bytes, as PostgreSQL does: names that only look the same are two.
        guard let map, !map.isEmpty else { return proved.utf8.elementsEqual(user.utf8) }
        return entries.contains { $0.map == map && $0.allows(proved, toBe: user) }
    }
}

extension IdentityMap.Entry {
    fileprivate func allows(_ name: String, toBe user: String) -> Bool {
        guard let pattern else {
            return proved.utf8.elementsEqual(name.utf8) && self.user.utf8.elementsEqual(user.utf8)
        }
        let (isMatch, first) = pattern.firstGroup(in: name)
        guard isMatch else { return false }
        guard let group = self.user.firstRange(of: "\\1") else {
            return self.user.utf8.elementsEqual(user.utf8)
        }
        guard let first else { return false }
        return self.user.replacingCharacters(in: group, with: first).utf8.elementsEqual(user.utf8)
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: Substring) -> String {
        String(self[..<range.lowerBound]) + text + self[range.upperBound...]
    }
}
