// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromAres

/// One question under way in c-ares, which holds it until its only callback.
///
/// Dropping it does not end the question in c-ares, whose cancel call would end all of a channel; the result is just
/// not passed on.
final class AresQuery {
    private var completion: ((QueryResult) -> Void)?

    init(_ completion: @escaping (QueryResult) -> Void) {
        self.completion = completion
    }

    func drop() {
        completion = nil
    }

    /// Takes the callback of c-ares. `bytes` is valid during the call only.
    func finish(status: Int32, bytes: UnsafeRawBufferPointer?) {
        guard let completion else { return }
        self.completion = nil
        if let bytes, bytes.count > 0 {
            do throws(DNSMessageError) {
                completion(.message(try DNSMessage(parsing: bytes.bytes)))
            } catch {
                completion(.malformed(error))
            }
        } else if status == ARES_ETIMEOUT {
            completion(.timedOut)
        } else {
            completion(.unreachable(ares_strerror(status).map { String(cString: $0) } ?? "status \(status)"))
        }
    }
}
