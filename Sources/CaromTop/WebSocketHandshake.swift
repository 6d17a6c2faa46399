// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import FoundationEssentials

/// A client's handshake (RFC 6455 §4): the request, and whether the answer accepts it.
struct WebSocketHandshake {
    let url: StatsURL
    private let key: String

    /// The longest answer that is taken in.
    static let largest = 16_384
    /// What servers mix into the key (RFC 6455 §1.3).
    private static let salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    init(_ url: StatsURL, nonce: [UInt8] = (0..<16).map { _ in .random(in: 0 ... .max) }) {
        self.url = url
        key = Data(nonce).base64EncodedString()
    }

    var request: [UInt8] {
        Array(
            """
            GET \(url.target) HTTP/1.1\r
            Host: \(url.authority)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: \(key)\r
            Sec-WebSocket-Version: 13\r
            \r

            """.utf8)
    }

    /// What a server that read the key answers (RFC 6455 §4.2.2).
    private var expectedAnswer: String {
        get throws(StatsClientError) {
            do {
                return Data(try Digest.sha1(Array((key + Self.salt).utf8))).base64EncodedString()
            } catch {
                throw StatsClientError("the WebSocket handshake cannot be checked: \(error)")
            }
        }
    }

    /// How many bytes the answer has, once it is whole and accepts; nil while it is not whole.
    ///
    /// - Throws: ``StatsClientError`` with the server's status line if it refuses.
    func accepted(_ answer: [UInt8]) throws(StatsClientError) -> Int? {
        let end: [UInt8] = [13, 10, 13, 10]
        guard let start = answer.indices.first(where: { answer[$0...].starts(with: end) }) else {
            guard answer.count <= Self.largest else {
                throw StatsClientError("\(url) does not answer with HTTP")
            }
            return nil
        }
        let lines = String(decoding: answer[..<start], as: UTF8.self).split(separator: "\r\n")
        let status = lines.first.map(String.init) ?? ""
        guard status.hasPrefix("HTTP/1.1 101") else {
            throw StatsClientError("\(url) offers no WebSocket: it answers '\(status)'")
        }
        let expected = try expectedAnswer
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "sec-websocket-accept" else { continue }
            if parts[1].drop(while: \.isWhitespace) == expected { return start + end.count }
        }
        throw StatsClientError("\(url) does not accept the WebSocket handshake as RFC 6455 demands")
    }
}
