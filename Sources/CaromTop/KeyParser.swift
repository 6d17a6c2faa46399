// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A key that a program cares about.
@nonexhaustive
public enum Key: Sendable, Hashable {
    /// A printable character.
    case character(Character)
    /// The tabulator.
    case tab
    /// The tabulator with shift.
    case backTab
    /// The cursor key that points up.
    case up
    /// The cursor key that points down.
    case down
    /// The cursor key that points to the left.
    case left
    /// The cursor key that points to the right.
    case right
    /// Return.
    case enter
    /// Escape on its own.
    case escape
    /// Ctrl-C, which arrives as a byte in raw mode.
    case interrupt
}

/// Reads keys out of what a terminal sends (ECMA-48 control sequences). Unknown sequences are swallowed whole.
struct KeyParser: Sendable {
    private enum State {
        case plain
        case escape
        case sequence
    }

    private var state = State.plain
    private var pending: [UInt8] = []

    init() {}

    /// The keys in `bytes`. A sequence may be spread over several calls.
    mutating func parse(_ bytes: some Sequence<UInt8>) -> [Key] {
        var keys: [Key] = []
        for byte in bytes {
            switch state {
            case .plain: plain(byte, &keys)
            case .escape:
                // CSI, or SS3 as some terminals send for cursor keys.
                if byte == 0x5B || byte == 0x4F {
                    state = .sequence
                } else {
                    state = .plain
                    keys.append(.escape)
                    plain(byte, &keys)
                }
            case .sequence:
                guard (0x40...0x7E).contains(byte) else { continue }
                state = .plain
                if let key = Self.sequences[byte] { keys.append(key) }
            }
        }
        return keys
    }

    /// Nothing more came for a while: an escape that stands alone is the key.
    mutating func pause() -> [Key] {
        guard state == .escape else { return [] }
        state = .plain
        return [.escape]
    }

    private static let sequences: [UInt8: Key] = [
        0x41: .up, 0x42: .down, 0x43: .right, 0x44: .left, 0x5A: .backTab,
    ]

    private mutating func plain(_ byte: UInt8, _ keys: inout [Key]) {
        switch byte {
        case 0x03: keys.append(.interrupt)
        case 0x09: keys.append(.tab)
        case 0x0A, 0x0D: keys.append(.enter)
        case 0x1B: state = .escape
        case 0x20...0x7E: keys.append(.character(Character(Unicode.Scalar(byte))))
        case 0x80...: text(byte, &keys)
        default: return
        }
    }

    /// A byte of a character beyond ASCII.
    private mutating func text(_ byte: UInt8, _ keys: inout [Key]) {
        if byte >= 0xC0 { pending = [] }
        pending.append(byte)
        if let string = String(validating: pending, as: UTF8.self), let character = string.first {
            keys.append(.character(character))
            pending = []
        } else if pending.count >= 4 {
            pending = []
        }
    }
}
