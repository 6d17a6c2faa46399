// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A password that a service is asked about. It is overwritten when nobody needs it any more.
final class PasswordInquiry: Sendable {
    let service: PasswordService
    let user: String
    /// With a zero byte behind it.
    private let password: Mutex<[UInt8]>

    init(_ service: PasswordService, user: String, password: [UInt8]) {
        self.service = service
        self.user = user
        // An array of its own: nobody else has these bytes.
        self.password = Mutex(password + [0])
    }

    deinit {
        password.withLock { password in
            password.withUnsafeMutableBytes { memory in
                if let start = memory.baseAddress { explicit_bzero(start, memory.count) }
            }
        }
    }

    /// What the service thinks of it. The thread waits.
    ///
    /// - Parameters:
    ///   - host: where the client comes from; nil if that is this machine's Unix socket.
    ///   - doubts: which servers of LDAP have not answered lately.
    ///   - isWanted: whether somebody still waits for the verdict.
    func verdict(from host: String?, _ doubts: LDAPDoubts, ifWanted isWanted: @escaping () -> Bool)
        -> PasswordVerdict
    {
        password.withLock { password in
            password.withUnsafeBytes { memory in
                let text = memory.assumingMemoryBound(to: CChar.self)
                guard let start = text.baseAddress else { return .refused("no password") }
                return service.verdict(on: start, of: user, from: host, doubts, ifWanted: isWanted)
            }
        }
    }
}

extension PasswordInquiry: Equatable {
    static func == (one: PasswordInquiry, other: PasswordInquiry) -> Bool { one === other }
}
