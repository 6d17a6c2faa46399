// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Conversations with PostgreSQL 15 about the order of messages, recorded like `capturedFlows`: pipelined batches with errors,
/// Queries in one packet, FunctionCall and COPY between batches, Flush without Sync, errors behind rows, and what a server says
/// unasked (notices, notifications, changed parameters).
package let caseFlows: [FlowScript] = [
    FlowScript(
        "batches, the second fails",
        ">P >B >D >E >S >P >B >D >E >P >B >E >S >P >B >D >E >S "
            + "<1 <2 <T <D <C <ZI <1 <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "batches, the first fails at once",
        ">P >B >D >E >S >P >B >D >E >S >P >B >D >E >S <E <ZI <1 <2 <T <D <C <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "batches, the last fails at Bind",
        ">P >B >D >E >S >P >B >D >E >S >B >D >E >S <1 <2 <T <D <C <ZI <1 <2 <T <D <C <ZI <E <ZI"),
    FlowScript(
        "batches, two fail next to each other",
        ">P >B >D >E >S >P >B >E >S >P >S >P >B >D >E >S "
            + "<1 <2 <T <D <C <ZI <1 <E <ZI <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "batches in a transaction, one fails",
        ">P >B >E >S >P >B >E >S >P >B >E >S >P >S >P >B >E >S "
            + "<1 <2 <C <ZT <1 <2 <D <C <ZT <1 <E <ZE <E <ZE <1 <2 <C <ZI"),
    FlowScript(
        "Syncs between batches",
        ">S >P >B >E >S >S >P >B >E >S >S >P >B >E >S <ZI <1 <2 <D <C <ZI <ZI <1 <E <ZI <ZI <1 <2 <D <C <ZI"),
    FlowScript(
        "batches read one by one",
        ">P >B >E >S "
            + "<1 <2 <D <C <ZI >P >B >E >S >P >B >E >S <1 <E <ZI <1 <2 <D <C <ZI >P >B >E >S <1 <2 <D <C <ZI"),
    FlowScript(
        "prepared once, executed often",
        ">P >D >S >B >E >B >E >B >E >S >C >S <1 <t <T <ZI <2 <D <C <2 <D <C <2 <D <C <ZI <3 <ZI"),
    FlowScript(
        "executed often, one fails",
        ">P >S >B >E >S >B >E >S >B >E >S >C >S <1 <ZI <2 <D <s <ZI <2 <D <E <ZI <2 <D <s <ZI <3 <ZI"),
    FlowScript(
        "Query behind batches",
        ">P >B >D >E >S >P >B >D >E >S >Q <1 <2 <T <D <C <ZI <1 <2 <T <D <C <ZI <T <D <C <ZI"),
    FlowScript(
        "Query behind a failed batch",
        ">P >B >D >E >S >P >B >E >S >Q <1 <2 <T <D <C <ZI <1 <E <ZI <T <D <C <ZI"),
    FlowScript(
        "Query behind batches, itself wrong",
        ">P >B >D >E >S >Q >P >B >D >E >S <1 <2 <T <D <C <ZI <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "Query between batches",
        ">P >B >E >S >Q >P >B >E >S >Q >P >B >E >S "
            + "<1 <2 <D <C <ZI <T <D <C <ZI <1 <2 <D <C <ZI <I <ZI <1 <2 <D <C <ZI"),
    FlowScript(
        "Query in the place of the Sync",
        ">P >B >E >S >P >B >E >Q >P >B >E >S <1 <2 <D <C <ZI <1 <2 <D <C <T <D <C <ZI <1 <2 <D <C <ZI"),
    FlowScript(
        "Query discarded behind an error",
        ">P >B >D >E >S >P >Q >Q >S >Q <1 <2 <T <D <C <ZI <E <ZI <T <D <C <ZI"),
    FlowScript(
        "Query with several statements behind batches",
        ">P >B >D >E >S >Q >P >B >D >E >S "
            + "<1 <2 <T <D <C <ZI <T <D <C <T <D <C <T <D <C <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "Queries, all right",
        ">Q >Q >Q >Q <T <D <C <ZI <T <D <C <ZI <I <ZI <T <D <C <T <D <C <ZI"),
    FlowScript(
        "Queries, the middle one fails",
        ">Q >Q >Q <T <D <C <ZI <T <D <C <E <ZI <T <D <C <ZI"),
    FlowScript(
        "Queries, a transaction",
        ">Q >Q >Q >Q >Q >Q <C <ZT <T <D <C <ZT <E <ZE <E <ZE <C <ZI <T <D <C <ZI"),
    FlowScript(
        "Queries, a transaction that commits",
        ">Q >Q >Q >Q <C <ZT <C <ZT <C <ZI <C <ZI"),
    FlowScript(
        "Queries, a commit that fails",
        ">Q >Q >Q >Q <C <ZT <C <ZT <E <ZI <T <D <C <ZI"),
    FlowScript(
        "Queries, the next one sent while the first is read",
        ">Q >Q <T <D <C <ZI <T <D <C <ZI >Q <T <D <C <ZI"),
    FlowScript(
        "Queries, a savepoint saves",
        ">Q >Q >Q >Q >Q >Q <C <ZT <C <ZT <E <ZE <C <ZT <T <D <C <ZT <C <ZI"),
    FlowScript(
        "FunctionCall between Queries",
        ">Q >F >Q <T <D <C <ZI <V <ZI <T <D <C <ZI"),
    FlowScript(
        "FunctionCall between batches",
        ">P >B >D >E >S >F >P >B >D >E >S <1 <2 <T <D <C <ZI <V <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "FunctionCall fails between batches",
        ">P >B >D >E >S >F >P >B >D >E >S <1 <2 <T <D <C <ZI <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "FunctionCalls in one packet, one fails",
        ">F >F >F <V <ZI <E <ZI <V <ZI"),
    FlowScript(
        "FunctionCall with notices",
        ">F <N <N <V <ZI"),
    FlowScript(
        "FunctionCall in a transaction that fails",
        ">Q >F >F >Q <C <ZT <E <ZE <E <ZE <C <ZI"),
    FlowScript(
        "FunctionCall in the place of the Sync",
        ">P >B >D >E >F >P >B >D >E >S <1 <2 <T <D <C <V <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "Flush, each answer waited for",
        ">P >H <1 >B >H <2 >D >H <T >E >H <D <C >S <ZI"),
    FlowScript(
        "Flush, an error and no Sync yet",
        ">P >B >E >H <1 <2 <D <C >P >B >E >H <1 <E >P >H >S <ZI"),
    FlowScript(
        "Flush, the error first",
        ">P >H <E >B >E >H >S >P >B >D >E >S <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "Flush with nothing before it",
        ">H >H >Q <T <D <C <ZI"),
    FlowScript(
        "Flush, then Query",
        ">P >B >E >H <1 <2 <D <C >Q <T <D <C <ZI"),
    FlowScript(
        "Flush between pipelined batches",
        ">P >B >D >E >H >S >P >B >D >E >H <1 <2 <T <D <C <ZI <1 <2 <T <D <C >S <ZI"),
    FlowScript(
        "Flush, a portal read in parts",
        ">P >B >E >H <1 <2 <D <D <s >E >H <D <D <s >E >H <D <C >S <ZI"),
    FlowScript(
        "Flush, a portal left behind",
        ">P >B >E >H <1 <2 <D <D <s >S <ZI"),
    FlowScript(
        "rows, then an error",
        ">Q <T <D <D <E <ZI >Q <T <D <C <ZI"),
    FlowScript(
        "rows, then an error, then Queries",
        ">Q >Q >Q <T <D <D <E <ZI <T <D <C <ZI <T <D <C <ZI"),
    FlowScript(
        "rows, then an error in a batch",
        ">P >B >D >E >P >B >E >S >P >B >D >E >S <1 <2 <T <D <D <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "rows of one statement, an error in the next",
        ">Q <T <D <C <T <D <E <ZI"),
    FlowScript(
        "rows in parts, then an error",
        ">P >B >E >E >E >S <1 <2 <D <s <D <s <E <ZI"),
    FlowScript(
        "rows, then an error in a transaction",
        ">Q >Q >Q <C <ZT <T <D <E <ZE <C <ZI"),
    FlowScript(
        "rows in parts in a transaction",
        ">Q >P >B >E >S <C <ZT <1 <2 <D <D <s <ZT >E >S <D <D <s <ZT >E >S <D <C <ZT >Q <C <ZI"),
    FlowScript(
        "COPY in behind a batch",
        ">P >B >D >E >S >Q <1 <2 <T <D <C <ZI <G >d >d >c <C <ZI >Q <C <ZI"),
    FlowScript(
        "COPY in, all in one packet, between batches",
        ">P >B >D >E >S >Q >d >c >P >B >D >E >S <1 <2 <T <D <C <ZI <G <C <ZI <1 <2 <n <C <ZI"),
    FlowScript(
        "COPY in as a batch between batches",
        ">P >B >D >E >S >P >B >E >d >c >S >P >B >D >E >S <1 <2 <T <D <C <ZI <1 <2 <G <C <ZI <1 <2 <n <C <ZI"),
    FlowScript(
        "COPY in, refused by the client, then a batch",
        ">Q <G >d >f >P >B >D >E >S <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY in with a wrong row, then a batch",
        ">Q <G >d >d >c >P >B >D >E >S <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY in as a batch with a wrong row",
        ">P >B >E >S <1 <2 <G >d >c >S >P >B >D >E >S <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY in as a batch, refused by the client",
        ">P >B >D >E >H <1 <2 <n <G >f >S >P >B >D >E >S <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY in of a table that is not there, between batches",
        ">P >B >D >E >S >Q >d >c >P >B >D >E >S <1 <2 <T <D <C <ZI <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY in of no rows",
        ">Q <G >c >Q <C <ZI <T <D <C <ZI"),
    FlowScript(
        "COPY out between batches",
        ">P >B >D >E >S >Q >P >B >D >E >S <1 <2 <T <D <C <ZI <H <d <c <C <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY out as a batch between batches",
        ">P >B >E >S >P >B >D >E >S >P >B >E >S <1 <2 <D <C <ZI <1 <2 <n <H <d <c <C <ZI <1 <2 <D <C <ZI"),
    FlowScript(
        "COPY out with an error, between Queries",
        ">Q >Q >Q <T <D <C <ZI <H <d <d <E <ZI <T <D <C <ZI"),
    FlowScript(
        "COPY out with an error, as a batch",
        ">P >B >E >P >S >P >B >D >E >S <1 <2 <H <d <d <E <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "COPY out, then in, in one packet",
        ">Q >Q >d >c >Q <H <d <c <C <ZI <G <C <ZI <C <ZI"),
    FlowScript(
        "COPY in and out of one Query",
        ">Q <G >d >c <C <H <d <c <C <C <ZI"),
    FlowScript(
        "COPY in a transaction",
        ">Q >Q <C <ZT <G >d >c <C <ZT >Q >Q <H <d <c <C <ZT <C <ZI"),
    FlowScript(
        "COPY in that breaks a transaction",
        ">Q >Q <C <ZT <G >d >c <E <ZE >Q >Q <E <ZE <C <ZI"),
    FlowScript(
        "notices between rows",
        ">Q <T <N <N <D <N <N <D <C <ZI"),
    FlowScript(
        "notices in batches",
        ">P >B >D >E >S >P >B >D >E >S <1 <2 <T <N <N <D <C <ZI <1 <2 <T <D <C <ZI"),
    FlowScript(
        "a notice of a statement",
        ">Q >Q >Q <N <C <ZI <N <C <ZI <T <D <C <ZI"),
    FlowScript(
        "a notice before an error",
        ">Q >Q <N <E <ZI <T <D <C <ZI"),
    FlowScript(
        "notices in COPY",
        ">Q >Q <C <C <C <ZI <G >d >d >c <N <N <C <ZI >Q <C <ZI"),
    FlowScript(
        "notification of its own",
        ">Q >Q >Q <C <ZI <C <A <ZI <T <D <C <ZI >Q <C <ZI"),
    FlowScript(
        "notification in a batch",
        ">Q <C <ZI >P >B >D >E >S >P >B >D >E >S <1 <2 <T <D <C <A <ZI <1 <2 <T <D <C <ZI >Q <C <ZI"),
    FlowScript(
        "notifications held back by a transaction",
        ">Q >Q <C <ZI <C <ZT >Q >Q >Q <T <D <C <ZT <C <A <ZI <C <ZI"),
    FlowScript(
        "SET reported",
        ">Q <C <S <ZI >Q <C <S <ZI"),
    FlowScript(
        "SET of what is not reported",
        ">Q >Q <C <ZI <C <ZI"),
    FlowScript(
        "SET to what it is",
        ">Q <C <ZI"),
    FlowScript(
        "SETs in one packet",
        ">Q >Q >Q <C <S <ZI <C <S <ZI <C <S <S <ZI"),
    FlowScript(
        "SETs of one Query",
        ">Q <C <C <T <D <C <S <S <ZI >Q <C <S <S <ZI"),
    FlowScript(
        "SET in a batch",
        ">P >B >E >S >P >B >D >E >S >P >B >E >S <1 <2 <C <S <ZI <1 <2 <T <D <C <ZI <1 <2 <C <S <ZI"),
    FlowScript(
        "SETs in batches of one packet, one fails",
        ">P >B >E >S >P >B >E >S >P >B >E >S <1 <2 <C <S <ZI <1 <2 <E <ZI <1 <2 <C <S <ZI"),
    FlowScript(
        "SET undone by ROLLBACK",
        ">Q >Q >Q <C <ZT <C <S <ZT <C <S <ZI"),
    FlowScript(
        "SET LOCAL",
        ">Q >Q >Q >Q <C <ZT <C <S <ZT <T <D <C <ZT <C <S <ZI"),
    FlowScript(
        "SET undone by an error",
        ">Q >Q <C <E <ZI <T <D <C <ZI"),
    FlowScript(
        "set_config in a row",
        ">Q >Q <T <D <C <S <ZI <C <S <ZI"),
    FlowScript(
        "SET and Flush",
        ">P >B >E >H <1 <2 <C >S <S <ZI >Q <C <S <ZI"),
    FlowScript(
        "DISCARD ALL after SET",
        ">Q >Q >Q <C <S <ZI <C <S <ZI <T <D <C <ZI"),
]
