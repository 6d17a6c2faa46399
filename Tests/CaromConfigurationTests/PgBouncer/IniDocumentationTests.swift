// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// `docs/configuration.adoc` lists the keys of ini files as the parser has them.
@Suite struct IniDocumentationTests {
    @Test(arguments: IniKeys.all.map(\.name))
    func everyKeyIsListedWithItsDefault(name: String) throws {
        let section = try #require(IniKeys.all.first { $0.name == name })
        let root = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
        let bytes = try ConfigurationSource.files.read(root + "/docs/configuration.adoc").get()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let start = try #require(lines.firstIndex(of: "=== `[\(name)]`"))
        var documented: [String: (standard: String, reload: String)] = [:]
        for line in lines[(start + 1)...].prefix(while: { !$0.hasPrefix("==") }) where line.hasPrefix("|`") {
            let cells = line.split(separator: "|").map { cell in
                HostPort.trimmed(cell.filter { $0 != "`" && $0 != "+" })
            }
            #expect(
                documented.updateValue((cells[2], cells[3]), forKey: cells[0]) == nil, "\(cells[0]) twice")
        }
        #expect(Set(documented.keys) == Set(section.keys.map(\.name)))
        for key in section.keys {
            let row = try #require(documented[key.name])
            let standard = key.standard.flatMap { $0.isEmpty ? nil : $0 } ?? "none"
            if key.name != "auth_query" { #expect(row.standard == standard, "\(key.name)") }
            #expect((row.reload == "no effect") == (key.isIgnoredBecause != nil), "\(key.name)")
            #expect((row.reload == "restart") == key.needsRestart, "\(key.name)")
        }
    }
}
