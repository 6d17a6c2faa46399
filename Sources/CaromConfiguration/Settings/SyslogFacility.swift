// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `log_syslog_facility`: what the system's log files our lines under.
package enum SyslogFacility: String, CaseIterable, Hashable, Sendable {
    case auth
    case authpriv
    case daemon
    case user
    case local0
    case local1
    case local2
    case local3
    case local4
    case local5
    case local6
    case local7

    /// The number of `<syslog.h>`, which Swift does not import because it is a macro with a shift.
    package var code: Int32 {
        switch self {
        case .user: 1 << 3
        case .daemon: 3 << 3
        case .auth: 4 << 3
        case .authpriv: 10 << 3
        case .local0: 16 << 3
        case .local1: 17 << 3
        case .local2: 18 << 3
        case .local3: 19 << 3
        case .local4: 20 << 3
        case .local5: 21 << 3
        case .local6: 22 << 3
        case .local7: 23 << 3
        }
    }
}
