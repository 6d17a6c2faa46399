// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromConfiguration

/// Whatever is in a file: the parser ends, does not trap, and points into the file.
@Suite struct OdysseyFuzzTests {
    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func damagedConfigurationsNeverTrap(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let whole = Array((smallest + ConfigurationSample.rich).utf8)
        let pieces = ConfigurationSample.pieces.map { Array($0.utf8) }
        for round in 0..<100 {
            var bytes = whole
            for _ in 0...Int.random(in: 0...6, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                case 1: if place < bytes.count { bytes.remove(at: place) }
                case 2: bytes.insert(contentsOf: pieces.randomElement(using: &random)!, at: place)
                case 3:
                    bytes.removeSubrange(
                        place..<min(bytes.count, place + Int.random(in: 0...40, using: &random)))
                default:
                    if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random) }
                }
            }
            check(bytes, "seed \(seed), round \(round)")
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func heapsOfTokensNeverTrap(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for round in 0..<100 {
            let text = (0..<Int.random(in: 0...80, using: &random))
                .map { _ in ConfigurationSample.pieces.randomElement(using: &random)! }
                .joined(separator: Bool.random(using: &random) ? " " : "")
            check(Array(text.utf8), "seed \(seed), round \(round)")
        }
    }

    @Test func deepNestingAndLongWordsAreHarmless() {
        for text in [
            String(repeating: "{", count: 200_000), String(repeating: "a { ", count: 50_000),
            String(repeating: "database \"x\" { user \"y\" {", count: 5000),
            String(repeating: "a", count: 200_000),
            String(repeating: "1", count: 200_000), "log_file \"" + String(repeating: "\\", count: 200_001),
        ] {
            check(Array(text.utf8), "\(text.prefix(20))…")
        }
    }

    /// A good result can be printed and read again; a bad one points at places that exist.
    private func check(_ bytes: [UInt8], _ comment: Comment) {
        do throws(ConfigurationErrors) {
            let settings = try ConfigurationFile.parse(bytes, file: "f", source: .none).settings
            let again = try ConfigurationFile.parse(text: settings.description).settings
            #expect(again.description == settings.description, comment)
        } catch {
            let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
            #expect(error.diagnostics.contains { $0.severity == .error }, comment)
            #expect(
                error.diagnostics.allSatisfy {
                    $0.position.file == "f" && (1...lines).contains($0.position.line)
                        && $0.position.column >= 1
                }, comment)
        }
    }
}

enum ConfigurationSample {
    static let rich = #"""

        workers "auto" log_format "%p %t %l [%i %s] (%c) %m\n" readahead 16kb unix_socket_dir "/tmp" unix_socket_mode "0700"
        listen { port 7000 tls "allow" tls_cert_file "c" tls_key_file "k" tls_protocols "tlsv1.2" } # a comment
        storage "x" { type "remote" host "a,b:1,[::1]:2,/tmp:3" port 7 tls "prefer" nameserver "1.1.1.1:53" }
        storage "y" { type "remote" srv "_pg._tcp.example" }
        database "d" { user "u" { authentication "md5" password "a\"b" storage "x" pool "transaction" pool_size 3
            options { "a" "b" } backend_startup_options { "c" "d" } } user default { authentication "block" storage "y"
            pool "session" } }
        """#

    static let pieces = [
        "{", "}", "\"", "\\", "\\\"", "#", "\n", "default", "yes", "no", "0", "-1", "9999999999999999999",
        "8kb",
        "listen", "storage", "database", "user", "include", "options", "backend_startup_options", "\"x\"",
        "\"\"",
        "host", "port", "type", "\"remote\"", "password", "authentication", "\"md5\"", "pool", "\"session\"",
        "\"[::1]:5\"", "\"/tmp\"", "tls", "\"verify_full\"", "\u{0}", "\u{e9}", "\u{1F642}", "\u{301}", "%",
        ":", ",",
        "log_format", "\"%\"", "\"%m\\\"", "workers", "cache", "hba_file", "include \"f\"",
    ]
}
