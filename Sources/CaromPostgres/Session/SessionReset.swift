// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// Takes a user's traces out of a session and leaves its prepared statements alone, which are everybody's.
///
/// It is what `DISCARD ALL` does (PostgreSQL's reference, DISCARD) but for `DEALLOCATE ALL` and `DISCARD PLANS`, as one query that
/// is all or nothing.
package enum SessionReset {
    /// The statements for a session of which the server reports this.
    package static func statements(_ reported: SettingValues) -> String {
        // A standby has no LISTEN, and does not take UNLISTEN.
        let unlisten = reported[ServerState.roleParameter] == "on" ? "" : "UNLISTEN *;"
        return "CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ALL;\(unlisten)"
            + "SELECT pg_catalog.pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES"
    }
}
