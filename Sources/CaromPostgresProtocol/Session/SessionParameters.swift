// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The values of the tracked settings, as one client wants them or as one server has them.
///
/// Tables of the same `TrackedParameters` compare slot by slot; a table that was assigned from another
/// compares at once.
package struct SessionParameters: Sendable {
    package let tracked: TrackedParameters
    private var values: [String?]

    /// Knows nothing yet.
    package init(_ tracked: TrackedParameters = .standard) {
        self.tracked = tracked
        values = Array(repeating: nil, count: tracked.entries.count)
    }

    /// The value, or nil if it is not known or not kept.
    package subscript(name: String) -> String? {
        tracked.slot(of: name).flatMap { values[$0] }
    }

    /// Notes a value. False if the setting is not kept, or if the value has a zero byte and so cannot be one.
    @discardableResult
    package mutating func set(_ name: String, to value: String) -> Bool {
        guard let slot = tracked.slot(of: name), !value.utf8.contains(0) else { return false }
        if values[slot] != value { values[slot] = value }
        return true
    }

    /// Forgets a value.
    package mutating func remove(_ name: String) {
        if let slot = tracked.slot(of: name) { values[slot] = nil }
    }

    /// What is known, in the list's order; for ParameterStatus messages to a client.
    package var known: [StartupParameter] {
        zip(tracked.entries, values).compactMap { entry, value in
            value.map { StartupParameter(entry.name, $0) }
        }
    }

    /// Whether a server that has `server` serves a client that wants this without any SET.
    package func isSatisfied(by server: SessionParameters) -> Bool {
        firstDifference(from: server, startingAt: 0) == nil
    }

    /// Writes one Query message that brings a server to what this client wants, and returns the number of
    /// settings in it: 0 means that nothing was written.
    ///
    /// A setting the client has no wish for, but somebody set, goes back to the server's default. All is one
    /// implicit transaction: if the server refuses one value, none is set.
    package func appendQuery(synchronizing server: SessionParameters, into bytes: inout [UInt8]) -> Int {
        guard var slot = firstDifference(from: server, startingAt: 0) else { return 0 }
        var count = 0
        bytes.appendMessage(FrontendTag.query.rawValue) { bytes in
            while true {
                if count > 0 { bytes.append(UInt8(ascii: ";")) }
                SettingStatement.append(tracked.entries[slot], to: values[slot], into: &bytes)
                count += 1
                guard let next = firstDifference(from: server, startingAt: slot + 1) else { break }
                slot = next
            }
            bytes.append(0)
        }
        return count
    }

    /// What the server has after the query of `appendQuery` succeeded. Settings that went back to their
    /// default are unknown until the server reports them.
    package func synchronized(with server: SessionParameters) -> SessionParameters {
        var result = server
        var start = 0
        while let slot = firstDifference(from: server, startingAt: start) {
            result.values[slot] = values[slot]
            start = slot + 1
        }
        return result
    }

    /// The same as text, for logs and tests.
    package func statements(synchronizing server: SessionParameters) -> String {
        var bytes: [UInt8] = []
        guard appendQuery(synchronizing: server, into: &bytes) > 0 else { return "" }
        return String(decoding: bytes[Framing.headerSize..<(bytes.count - 1)], as: UTF8.self)
    }

    private func firstDifference(from server: SessionParameters, startingAt start: Int) -> Int? {
        precondition(tracked === server.tracked, "Both tables track the same settings.")
        if start == 0, values == server.values { return nil }
        var slot = start
        while slot < values.count {
            if values[slot] != server.values[slot], tracked.entries[slot].form != .never {
                return slot
            }
            slot += 1
        }
        return nil
    }
}

extension SessionParameters: Hashable {
    package static func == (left: SessionParameters, right: SessionParameters) -> Bool {
        left.tracked === right.tracked && left.values == right.values
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(values)
    }
}
