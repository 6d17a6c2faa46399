// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres

/// A note as it is sent out.
struct Note: Codable {
    var id: Int
    var text: String
}

/// Notes in a table. Every method takes a connection from the pool for as long as its statement needs.
struct NoteStore: Sendable {
    let pool: Pool<PostgresConnector>

    /// What a claim must ask for to write: with several servers only the primary takes changes.
    private static let writing = ClaimRequest(role: .primary)

    /// Makes the table if there is none.
    func prepare() async throws {
        _ = try await pool.withConnection(Self.writing) { connection in
            try await connection.execute(
                "create table if not exists notes (id bigserial primary key, text text not null)")
        }
    }

    /// The newest notes.
    func newest(_ count: Int) async throws -> [Note] {
        try await pool.withConnection { connection in
            let rows = try await connection.query(
                "select id, text from notes order by id desc limit \(count)")
            return try rows.map(Self.note)
        }
    }

    /// One note; nil if there is none with this number.
    func note(_ id: Int) async throws -> Note? {
        try await pool.withConnection { connection in
            try await connection.query("select id, text from notes where id = \(id)").first.map(
                Self.note)
        }
    }

    /// Keeps a note.
    func add(_ text: String) async throws -> Note {
        try await pool.withConnection(Self.writing) { connection in
            let rows = try await connection.query(
                "insert into notes (text) values (\(text)) returning id, text")
            guard let row = rows.first else {
                throw PostgresError(.protocolViolation, "an insert returned nothing")
            }
            return try Self.note(row)
        }
    }

    private static func note(_ row: PostgresRow) throws -> Note {
        Note(id: try row["id", as: Int.self], text: try row["text", as: String.self])
    }
}
