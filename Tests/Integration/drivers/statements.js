// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

// A program with node-postgres left as it comes: HOST PORT LABEL. One turn for each line on stdin, one line each.

const { Client } = require('pg')
const readline = require('readline')

const [host, port, label] = process.argv.slice(2)

// Every program has the same names for other texts.
const statements = [
  { name: 'who', text: `select '${label}' as who, $1::int + ${label.length * 1000} as n` },
  { name: 'series', text: `select g, '${label}' as who from generate_series(1, $1::int % 4) g` },
  { name: 'insert', text: `insert into driver_rows (who, n) values ('${label}', $1) returning n` },
  { name: 'count', text: `select count(*), sum(n) from driver_rows where who = '${label}' and n <= $1` },
  { name: 'fail', text: `select '${label}' as who, 12 / ($1::int % 3) as n` },
  { text: `select '${label} unnamed' as who, $1::text as n` }
]

async function ask (client, query) {
  try {
    return (await client.query(query)).rows
  } catch (error) {
    return error.code
  }
}

async function main () {
  const client = new Client({ host, port: Number(port), user: 'bench', database: 'bench', application_name: label })
  await client.connect()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const n = Number(line)
    const seen = []
    const together = n % 3 === 0
    if (together) await client.query('begin')
    for (const statement of statements) {
      if (together && statement.name === 'fail') continue
      seen.push(await ask(client, { ...statement, values: [n] }))
    }
    if (together) await client.query('commit')
    // Queued in the driver, one after the other.
    seen.push(await Promise.all([1, 2, 3].map(m => ask(client, { ...statements[0], values: [n * m] }))))
    console.log(JSON.stringify(seen))
  }
  await client.end()
}

main().catch(error => { console.error(error); process.exit(1) })
