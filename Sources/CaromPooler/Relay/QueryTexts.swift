// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Reads the queries out of a client's stream, for the log.
enum QueryTexts {
    /// The text of each Query and Parse of a chunk, as far as it has come.
    ///
    /// - Parameter walker: where the stream stands at `start`.
    static func collect(
        _ chunk: RawSpan, from start: Int, _ walker: FrameWalker, limits: borrowing FrameLimits
    ) -> [String] {
        var walker = walker
        var position = start
        var texts: [String] = []
        while true {
            switch walker.next(in: chunk, at: &position, limits: limits) {
            case .message(let tag, let range), .beginning(let tag, let range, _), .run(let tag, let range, _):
                if let text = text(tag, chunk.extracting(range)) { texts.append(text) }
            case .continuation: break
            case .incomplete, .end, .invalid: return texts
            }
        }
    }

    private static func text(_ tag: UInt8, _ message: RawSpan) -> String? {
        guard tag == FrontendTag.query.rawValue || tag == FrontendTag.parse.rawValue,
            message.byteCount > Framing.headerSize
        else { return nil }
        return message.extracting(droppingFirst: Framing.headerSize).withUnsafeBytes { body in
            var text = body[...]
            if tag == FrontendTag.parse.rawValue {
                // The statement's name stands before its text.
                guard let end = text.firstIndex(of: 0) else { return nil }
                text = text[(end + 1)...]
            }
            text = text[..<(text.firstIndex(of: 0) ?? text.endIndex)].prefix(LogLine.longestMessage)
            return String(decoding: text, as: UTF8.self)
        }
    }
}
