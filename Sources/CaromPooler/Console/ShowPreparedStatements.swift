// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW PREPARED_STATEMENTS`: the statements that clients of transaction pooling have, each once for its route.
struct ShowPreparedStatements: ConsoleCommand {
    static let name = "SHOW PREPARED_STATEMENTS"

    static func parse(_ words: [ConsoleWord]) -> ShowPreparedStatements? {
        words.spell("show", "prepared_statements") ? ShowPreparedStatements() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database", "user", "route", "name"]), (.integer, ["bytes"]), (.text, ["query"]))

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.statements) }

    /// A longer text is cut off.
    private static let longestText = 1_000

    static func rows(_ routes: [Route]) -> [[String?]] {
        let routes = routes.sorted { ($0.key.database, $0.key.user) < ($1.key.database, $1.key.user) }
        return routes.flatMap { route in
            route.statements.all.sorted { $0.number < $1.number }.map { statement in
                let text = statement.content.prefix { $0 != 0 }
                return [
                    route.key.database, route.key.user, "\(route.key.pattern)",
                    String(decoding: PreparedStatement.name(statement.number), as: UTF8.self),
                    "\(statement.content.count)",
                    String(decoding: text.prefix(longestText), as: UTF8.self),
                ]
            }
        }
    }
}
