// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Directive<RouteSettings> {
    static var authQuery: [Self] {
        [
            Directive(
                name: "auth_query", expects: "a query with $1 for the user, in double quotes",
                read: { value, route throws(ValueError) in route.authQuery = try value.userQuery() },
                write: { $0.authQuery.map(quoted) }),
            .text("auth_query_db", optional: \.authQueryDatabase),
            .text("auth_query_user", optional: \.authQueryUser),
            // PgBouncer's name for the first.
            Directive(
                name: "auth_dbname", expects: "a string in double quotes",
                read: { value, route throws(ValueError) in route.authQueryDatabase = try value.text() },
                write: { _ in nil }),
        ]
    }
}

extension ConfigurationValue {
    /// The value as a query about a user, whose name is its parameter.
    func userQuery() throws(ValueError) -> String {
        let text = try text("a query with $1 for the user, in double quotes")
        for word in ["%u", "%h"] where text.contains(word) {
            throw ValueError(
                "\(quoted(word)) would put what a client says into the text",
                hint: "use $1 for the user's name")
        }
        guard text.contains("$1") else { throw ValueError("the query has no $1 for the user's name") }
        return text
    }
}
