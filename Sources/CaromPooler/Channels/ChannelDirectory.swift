// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Who listens to what, among the clients of a route.
struct ChannelDirectory {
    /// One channel, for a table.
    struct Channel: Sendable {
        let name: String
        let listeners: Int
        /// What was said on it since the first of them came.
        let messages: Int
    }

    private struct Entry {
        var listeners: Set<UInt64> = []
        var messages = 0
    }

    private var channels: [String: Entry] = [:]
    private var listeners: [UInt64: Set<String>] = [:]

    /// Nobody listens to anything.
    var isEmpty: Bool { listeners.isEmpty }

    /// What somebody listens to.
    var names: Set<String> { Set(channels.keys) }

    /// The channels, for a table, in the order of their names.
    var all: [Channel] {
        channels.map {
            Channel(name: $0.key, listeners: $0.value.listeners.count, messages: $0.value.messages)
        }
        .sorted { $0.name < $1.name }
    }

    /// Such a client listens to these from now on, and to nothing else.
    mutating func set(_ names: Set<String>, of listener: UInt64) {
        let before = listeners[listener] ?? []
        for name in before.subtracting(names) {
            channels[name]?.listeners.remove(listener)
            if channels[name]?.listeners.isEmpty == true { channels[name] = nil }
        }
        for name in names.subtracting(before) { channels[name, default: Entry()].listeners.insert(listener) }
        listeners[listener] = names.isEmpty ? nil : names
    }

    /// Something was said: those who hear it.
    mutating func heard(on name: String) -> Set<UInt64> {
        channels[name]?.messages += 1
        return channels[name]?.listeners ?? []
    }
}
