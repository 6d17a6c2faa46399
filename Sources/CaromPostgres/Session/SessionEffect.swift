// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Whether a command leaves something behind in its session that the next user of the connection would meet.
package enum SessionEffect {
    /// Reads the command tag of a CommandComplete (without its terminator or with it).
    ///
    /// A tag cannot tell `SET LOCAL` from `SET`, so both count: a reset too many is harmless.
    package static func isLasting(commandTag body: RawSpan) -> Bool {
        guard body.byteCount >= 4 else { return false }
        let word = UInt32(bigEndian: body.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self))
        switch word {
        case 0x5345_5400: return true  // SET
        case 0x5052_4550: return true  // PREPARE, PREPARE TRANSACTION
        case 0x4C49_5354: return true  // LISTEN
        case 0x4C4F_4144: return true  // LOAD
        case 0x4445_434C: return true  // DECLARE CURSOR (WITH HOLD outlives its transaction)
        default: return false
        }
    }

    /// Whether a command took away all prepared statements: `DEALLOCATE ALL` and `DISCARD ALL`, by their tags.
    package static func endsStatements(commandTag body: RawSpan) -> Bool {
        guard body.byteCount >= 11 else { return false }
        let word = UInt32(bigEndian: body.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self))
        // DEAL, DISC
        guard word == 0x4445_414C || word == 0x4449_5343 else { return false }
        return body.text(0..<body.byteCount).map {
            $0.hasPrefix("DEALLOCATE ALL") || $0.hasPrefix("DISCARD ALL")
        }
            ?? false
    }
}
