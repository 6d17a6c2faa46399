// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresPool

let database = try PostgresPool(CommandLine.arguments[1])
async let running: Void = database.run()
let rows = try await database.query("select n, 'row ' || n from generate_series(1, \(2)) n")
for (id, name) in try rows.decode(Int.self, String.self) { print(id, name) }
await database.stop()
try await running
