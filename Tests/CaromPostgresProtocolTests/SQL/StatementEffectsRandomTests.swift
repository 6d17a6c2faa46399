// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

private func effects(_ bytes: [UInt8]) -> StatementEffects { StatementEffects(of: bytes.span.bytes) }

private func tokenEffects(_ bytes: [UInt8]) -> StatementEffects {
    StatementEffects.scanning(bytes.span.bytes)
}

@Suite struct StatementEffectsRandomTests {
    /// What statements are put together from: whole tokens, so that each text can be read in one way.
    private static let fragments = [
        "select", "SELECT", "update", "insert into", "delete", "begin", "commit", "end", "rollback", "abort",
        "set",
        "reset", "discard", "all", "local", "session", "default", "role", "none", "to", "=", "prepare",
        "declare", "with",
        "hold", "listen", "create", "temp", "Temporary", "table", "into", "pg_temp", ".", "drop",
        "deallocate", "explain",
        "analyze", "execute", "copy", "program", "as", "from", "t", "f", "lower", "set_config", "nextval",
        "currval",
        "pg_advisory_lock", "pg_advisory_unlock", "(", ")", ",", ";", "::", "+", "-", "/", "*", "[", "]", "1",
        "$1", "''",
        "'a'", "'it''s'", "E'a\\'b'", "$$ ; $$", "$a$ ( $a$", "\"q\"", "\"Q (\"", "/* ; */", "-- (\n", "true",
        "timestamp",
        "start", "fetch", "values", "é", "employee", "item", "t, p",
    ]

    @Test(arguments: 0..<200 as Range<UInt64>)
    func aGlanceSeesWhatTheTokensSay(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            var text = ""
            for _ in 0..<Int.random(in: 0...14, using: &random) {
                text += Self.fragments.randomElement(using: &random)!
                text += [" ", " ", "\n", "  "].randomElement(using: &random)!
            }
            let bytes = utf8(text)
            #expect(
                effects(bytes) == tokenEffects(bytes),
                "seed \(seed): \(text)")
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func everyMarkIsSeenWhereverItStands(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let head = "select " + String(repeating: "x", count: Int.random(in: 0...40, using: &random))
        let tail = String(repeating: "y", count: Int.random(in: 0...40, using: &random))
        #expect(effects(utf8(head + " f(" + tail)) == .callsUnknown)
        #expect(effects(utf8(head + ";listen " + tail)) == [.keeps, .listens])
        #expect(effects(utf8(head + " into temp " + tail)) == .keeps)
        #expect(effects(utf8(head + " Into pg_temp.x " + tail)) == .keeps)
    }

    /// Random bytes, and random changes and cuts of text with every kind of token.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func noBytesTrap(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let alphabet = utf8("aeE'\"$\\-*/();:.,&uU1 \n=xtempinto") + [0, 0x80, 0x83, 0x5c, 0x7c, 0xff]
        for _ in 0..<100 {
            let count = Int.random(in: 0...60, using: &random)
            var bytes = (0..<count).map { _ in alphabet.randomElement(using: &random)! }
            if Bool.random(using: &random) { bytes = utf8("select ") + bytes }
            for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            let glance = effects(bytes)
            #expect(
                glance.isSubset(of: tokenEffects(bytes)), "seed \(seed): \(bytes)")
            if let deallocation = Deallocation(bytes.span.bytes) {
                #expect(deallocation.nameRange.upperBound <= bytes.count)
            }
        }
    }
}
