// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// A statement that clients have prepared, under one number for all of them: text and parameter types, and the settings under which
/// the text has its meaning.
final class PreparedStatement: Sendable {
    let number: UInt64
    /// Text, terminator, and types as Parse has them.
    let content: [UInt8]
    /// What running it may do to the session.
    let effects: StatementEffects
    /// The settings that the text is read by; nil if they were not known when it was parsed.
    let meaning: TextMeaning?
    /// Where it is found by its content; nil for one that is not shared.
    private let registry: StatementRegistry?
    let hash: Int
    private let memory: StatementMemory
    /// Those that a client was told last: mostly they are those of all.
    private let lastTypes = Mutex<ParameterTypes?>(nil)

    init(
        number: UInt64, content: [UInt8], effects: StatementEffects, _ meaning: TextMeaning?,
        _ memory: StatementMemory, hash: Int = 0, in registry: StatementRegistry? = nil
    ) {
        self.number = number
        self.content = content
        self.effects = effects
        self.meaning = meaning
        self.hash = hash
        self.registry = registry
        self.memory = memory
        memory.take(Self.size(ofContent: content.count))
    }

    deinit {
        memory.giveBack(Self.size(ofContent: content.count))
        registry?.remove(number, hash: hash, size: content.count)
    }

    /// Types of the parameters, which its clients share.
    func types(_ bytes: [UInt8]) -> ParameterTypes {
        lastTypes.withLock { last in
            if let last, last.bytes == bytes { return last }
            let types = ParameterTypes(bytes, in: memory)
            last = types
            return types
        }
    }

    /// PostgreSQL (15 at least) dies when it describes a `FETCH` that was parsed while its cursor was there, and is not any more; here
    /// another client may have parsed it.
    var isFetch: Bool {
        let text = content
        return PlannedStatement.isFetch(text.span.bytes)
    }

    /// Running it may advance sequences that its text does not name.
    var mayAddRows: Bool { RowWriting.mayBegin(content) }

    /// What a statement takes of memory: the content, and about so much for itself and its place in the registry.
    static func size(ofContent count: Int) -> Int { count + 350 }

    // MARK: Names at the server

    /// What all names of shared statements begin with.
    private static let prefix = Array("carom_".utf8)
    /// What a client's own name is given if it begins the same.
    private static let escape = Array("carom_/".utf8)

    /// Adds the name that a server knows a shared statement by, without a terminator.
    static func appendName(_ number: UInt64, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: prefix)
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    static func name(_ number: UInt64) -> [UInt8] {
        var name: [UInt8] = []
        appendName(number, to: &name)
        return name
    }

    /// The number of a server's name; nil for a name that is none of ours.
    static func number(ofName name: [UInt8]) -> UInt64? {
        guard name.starts(with: prefix) else { return nil }
        return UInt64(String(decoding: name.dropFirst(prefix.count), as: UTF8.self))
    }

    /// Whether a client's name could be taken for one of ours.
    static func isReserved(_ name: RawSpan) -> Bool {
        guard name.byteCount >= prefix.count else { return false }
        return name.withUnsafeBytes { $0.starts(with: prefix) }
    }

    /// A name that no server has a statement by, for a client's name that is reserved.
    static func appendEscaped(_ name: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: escape)
        bytes.append(contentsOf: name)
    }

    /// The client's own name of an escaped one.
    static func unescaped(_ name: [UInt8]) -> [UInt8]? {
        name.starts(with: escape) ? Array(name.dropFirst(escape.count)) : nil
    }
}

extension StatementEffects {
    /// Of the text in the content of a Parse: what stands behind the name.
    init(ofContent content: RawSpan) {
        var reader = WireReader(content)
        guard let text = try? reader.readText() else {
            self = []
            return
        }
        self.init(of: content.extracting(text))
    }
}
