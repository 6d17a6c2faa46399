// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

@Suite("Imports")
struct ImportTests {
    /// The core is pure: the standard library and DequeModule, nothing else.
    @Test func theCoreImportsNothing() throws {
        let here = URL(filePath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let core = root.appending(path: "Sources/Carom/Core")
        let files = try FileManager.default.contentsOfDirectory(atPath: core.path).filter {
            $0.hasSuffix(".swift")
        }
        #expect(files.count > 15)
        for file in files {
            let text = try String(contentsOf: core.appending(path: file), encoding: .utf8)
            for line in text.split(separator: "\n") where line.contains("import ") && !line.hasPrefix("//") {
                let words = line.split(separator: " ")
                guard let place = words.firstIndex(of: "import"), place <= 1 else { continue }
                #expect(words[place + 1] == "DequeModule", "\(file): \(line)")
            }
        }
    }
}
