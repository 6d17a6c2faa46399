// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The whole terminal, taken over until it is closed: alternate screen, no cursor, keys unechoed.
public final class Screen: Sendable {
    /// Columns and rows.
    public struct Size: Sendable, Hashable {
        /// How many characters fit into a line.
        public var columns: Int
        /// How many lines there are.
        public var rows: Int
    }

    private let saved: termios

    /// Whether standard input and output are a terminal.
    public static var isTerminal: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

    /// Takes the terminal over; nil if there is none.
    public init?() {
        var attributes = termios()
        guard Self.isTerminal, tcgetattr(STDIN_FILENO, &attributes) == 0 else { return nil }
        saved = attributes
        cfmakeraw(&attributes)
        // Output stays as it was, so that a message of somebody else's still begins at the left.
        attributes.c_oflag = saved.c_oflag
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &attributes) == 0 else { return nil }
        Self.write("\u{1B}[?1049h\u{1B}[?25l")
    }

    deinit { restore() }

    /// Gives the terminal back as it was found. A second call changes nothing.
    public func restore() {
        Self.write("\u{1B}[?25h\u{1B}[?1049l")
        var attributes = saved
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &attributes)
    }

    /// How large it is at the moment.
    public var size: Size {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return Size(columns: 80, rows: 24)
        }
        return Size(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// Shows these lines from the top, cut to size, in one write; nothing else stays on the screen.
    public func draw(_ lines: [String]) {
        let size = size
        var text = "\u{1B}[H"
        for (index, line) in lines.prefix(size.rows).enumerated() {
            if index > 0 { text += "\r\n" }
            text += Self.cut(line, to: size.columns) + "\u{1B}[0m\u{1B}[K"
        }
        Self.write(text + "\u{1B}[J")
    }

    /// The line's first `columns` visible characters; escape sequences do not count.
    static func cut(_ line: String, to columns: Int) -> String {
        var result = ""
        var visible = 0
        var escaping = false
        for character in line {
            if escaping {
                escaping = !character.isLetter
            } else if character == "\u{1B}" {
                escaping = true
            } else {
                if visible == columns { continue }
                visible += 1
            }
            result.append(character)
        }
        return result
    }

    /// Text in bold, dim or reversed, for ``draw(_:)``.
    public static func bold(_ text: String) -> String { "\u{1B}[1m\(text)\u{1B}[0m" }
    /// Text that steps back.
    public static func dim(_ text: String) -> String { "\u{1B}[2m\(text)\u{1B}[0m" }
    /// Text on a bar.
    public static func reversed(_ text: String) -> String { "\u{1B}[7m\(text)\u{1B}[0m" }

    /// The text without control characters: names come from the network and must not steer the terminal.
    public static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "?" : scalar) }
        return String(result)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.span.bytes.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress! + sent, bytes.count - sent)
            }
            if count <= 0, errno != EINTR { return }
            sent += max(0, count)
        }
    }
}
