// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// How to log in to PostgreSQL servers and how to treat the connections.
public struct PostgresConfiguration: Sendable, CustomStringConvertible, CustomReflectable {
    /// The role to log in as.
    public var user: String
    /// The database to use.
    public var database: String
    /// The password, if the server asks for one: as it is, as `md5…`, or as a SCRAM verifier's keys allow. Never printed.
    public var password: String?
    /// Gives the password to a server that asks for it as it is (`password` in `pg_hba.conf`) over a connection in the open, where whoever is
    /// on the path can read it. Without it such a login fails, but for servers on this machine. Default true, as with libpq.
    public var allowsCleartextPassword = true
    /// Asked for the password at each login, in place of `password`.
    package var credentials: (any ServerCredentials)?
    /// Settings for the StartupMessage, for example `application_name` or `search_path`.
    public var parameters: [String: String] = [:]
    /// Command line switches for the StartupMessage, as a client wrote them.
    package var options: String?
    /// What the connections are for. One for replication has one user in its life: there is nothing that would make it clean.
    package var replication = StartupMessage.Replication.none
    /// How many statements a connection keeps prepared at the server, those used last; 0 for none. Default 100.
    ///
    /// `query` and `execute` with a ``PostgresQuery`` or parameters use them by themselves; what cannot be planned (`CREATE`, `SHOW` …) is never
    /// kept. Other poolers than Carom in between may ask for 0.
    public var statementCacheSize = 100
    /// Is given what servers say beside their answers (`RAISE NOTICE`, warnings), on the connection's thread: it should be quick. Each
    /// result has those of its own statement anyway.
    public var onNotice: (@Sendable (PostgresNotice) -> Void)?
    /// How long a health check may take.
    public var validationTimeout: Duration = .seconds(3)
    /// What a health check asks.
    package var checkQuery = ""
    /// What is run once on each new connection.
    package var connectQuery: String?
    /// What is done to make a returned connection clean.
    public var recycling = Recycling()

    /// How a connection is made clean for its next user.
    public struct Recycling: Sendable, Equatable {
        /// Cancel a query whose answer nobody waits for; otherwise such a connection is closed.
        public var cancels = true
        /// Roll back a transaction that was left open; otherwise such a connection is closed.
        public var rollsBack = true
        /// Reset the session (`DISCARD ALL`) after any use, not only where the user of the connection asked for it.
        public var discards = false
        /// What resets the session.
        package var resetQuery = ResetQuery.discardAll
        /// How long cancel, rollback and reset may take together.
        public var timeout: Duration = .seconds(5)

        /// Cancel and roll back, reset on request, in 5 s.
        public init() {}
    }

    /// A configuration with the defaults of each setting.
    public init(user: String, database: String, password: String? = nil) {
        self.user = user
        self.database = database
        self.password = password
    }

    /// Role and database; no secret.
    public var description: String { "\(user)@\(database)" }

    /// Shows what `description` shows, so that dumps leak no password either.
    public var customMirror: Mirror { Mirror(self, children: ["user": user, "database": database]) }
}
