// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Conversations with PostgreSQL 15, recorded message by message: what the client sent (several in one write
/// where they stand together) and everything that came back until the server was silent. Each begins and ends
/// idle and synchronised, or with one extra ReadyForQuery that the protocol cannot announce.
let capturedFlows: [FlowScript] = [
    FlowScript(
        "simple",
        ">Q <T <D <C <ZI"),
    FlowScript(
        "multi",
        ">Q <T <D <C <T <D <C <ZI"),
    FlowScript(
        "empty",
        ">Q <I <ZI"),
    FlowScript(
        "simple error",
        ">Q <E <ZI"),
    FlowScript(
        "begin",
        ">Q <C <ZT >Q <E <ZE >Q <C <ZI"),
    FlowScript(
        "ext",
        ">P >B >D >E >S <1 <2 <T <D <C <ZI"),
    FlowScript(
        "ext describe stmt",
        ">P >D >B >E >S <1 <t <T <2 <D <C <ZI"),
    FlowScript(
        "ext empty",
        ">P >B >D >E >S <1 <2 <n <I <ZI"),
    FlowScript(
        "ext nodata",
        ">P >D >B >D >E >S <1 <t <n <2 <n <C <ZI"),
    FlowScript(
        "ext error",
        ">P >P >B >D >E >S <1 <E <ZI"),
    FlowScript(
        "ext error pipelined",
        ">P >B >E >S >P >B >E >S <E <ZI <1 <2 <D <C <ZI"),
    FlowScript(
        "flush",
        ">P >B >H <1 <2 >E >H <D <C >S <ZI"),
    FlowScript(
        "query after ext no sync",
        ">P >B >E >Q <1 <2 <D <C <T <D <C <ZI"),
    FlowScript(
        "query in failed batch",
        ">P >B >E >Q <E >Q >S <ZI"),
    FlowScript(
        "query after err ext",
        ">P >Q >Q >S >Q <E <ZI <T <D <C <ZI"),
    FlowScript(
        "suspended",
        ">P >B >E >E >S <1 <2 <D <D <s <D <C <ZI"),
    FlowScript(
        "close",
        ">C >S <3 <ZI"),
    FlowScript(
        "sync sync",
        ">S >S >S <ZI <ZI <ZI"),
    FlowScript(
        "queries pipelined",
        ">Q >Q >Q <T <D <C <ZI <E <ZI <T <D <C <ZI"),
    FlowScript(
        "func",
        ">F <V <ZI"),
    FlowScript(
        "func err",
        ">F <E <ZI"),
    FlowScript(
        "func in failed batch",
        ">P >F <E >S <ZI"),
    FlowScript(
        "copyin",
        ">Q <G >d >c <C <ZI"),
    FlowScript(
        "copyin fail",
        ">Q <G >d >f <E <ZI"),
    FlowScript(
        "copyin bad data",
        ">Q <G >d >d >d <E <ZI >c >Q <T <D <C <ZI"),
    FlowScript(
        "copyin pipelined",
        ">Q >d >c >Q <G <C <ZI <T <D <C <ZI"),
    FlowScript(
        "copyin bad pipelined",
        ">Q >d >d >c >Q <G <E <ZI <T <D <C <ZI"),
    FlowScript(
        "copyin sync inside",
        ">Q >S <G >S >H >d >c <C <ZI"),
    FlowScript(
        "copyin err after sync inside",
        ">Q >S <G >d >S >c <E <ZI <ZI"),
    FlowScript(
        "copy twice",
        ">Q >d >c >d >c <G <C <G <C <T <D <C <ZI"),
    FlowScript(
        "copy twice waited",
        ">Q <G >d >c <C <G >d >c <C <T <D <C <ZI"),
    FlowScript(
        "ext copyin",
        ">P >B >D >E >S <1 <2 <n <G >d >c >S <C <ZI"),
    FlowScript(
        "ext copyin no sync",
        ">P >B >D >E <1 <2 <n <G >H >d >c >S <C <ZI"),
    FlowScript(
        "ext copyin all",
        ">P >B >E >d >c >S <1 <2 <G <C <ZI"),
    FlowScript(
        "ext copyin fail",
        ">P >B >D >E >S <1 <2 <n <G >d >f >S <E <ZI"),
    FlowScript(
        "ext copyin bad",
        ">P >B >D >E >S <1 <2 <n <G >d <E >d >c >S <ZI"),
    FlowScript(
        "ext copyin bad no sync",
        ">P >B >E <1 <2 <G >d >d >c <E >P >Q >S <ZI"),
    FlowScript(
        "ext copyin trigger boom",
        ">P >B >E >S <1 <2 <G <E <ZI >d >c >S <ZI >Q <T <D <C <ZI"),
    FlowScript(
        "ext copyin pipelined sync c sync",
        ">P >B >E >S >d >c >S <1 <2 <G <C <ZI"),
    FlowScript(
        "ext copyin pipelined sync c",
        ">P >B >E >S >d >c <1 <2 <G >S <C <ZI"),
    FlowScript(
        "simple copyin u",
        ">Q >S >d >c <G <E <ZI <ZI"),
    FlowScript(
        "copyout",
        ">Q <H <d <c <C <ZI"),
    FlowScript(
        "ext copyout",
        ">P >B >E >S <1 <2 <H <d <c <C <ZI"),
    FlowScript(
        "copyout err",
        ">Q <H <d <E <ZI"),
    FlowScript(
        "ext copyout err",
        ">P >B >E >P >S <1 <2 <H <d <E <ZI"),
    FlowScript(
        "copy outside",
        ">d >c >f >Q <T <D <C <ZI"),
    FlowScript(
        "deferred at sync",
        ">P >B >E >S >Q <1 <2 <C <E <ZI <T <D <C <ZI"),
    FlowScript(
        "copy not a copy pipelined c",
        ">Q >c >Q >d >c <T <D <C <ZI <G <C <ZI"),
    FlowScript(
        "ext pending then query err",
        ">P >B >E >Q >S <1 <2 <D <C <E <ZI <ZI"),
    FlowScript(
        "row error",
        ">Q <T <D <E <ZI"),
]
