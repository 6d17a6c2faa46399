// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Conversations with PostgreSQL 15, recorded message by message: what the client sent (several in one write
/// where they stand together) and everything that came back until the server was silent. Each begins and ends
/// idle and synchronised, or with one extra ReadyForQuery that the protocol cannot announce.
package let capturedFlows: [FlowScript] = [
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

/// Programs put together at random from good and bad statements of both protocols and COPY, sent in random batches and
/// recorded the same way; the end of each brings any server back: CopyDone, CopyDone, Sync, ROLLBACK.
package let capturedRandomFlows: [FlowScript] =
    ([
        ">Q <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >c <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >d <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >f <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">c >d >Q <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >Q <C <ZT <G <E <ZE >c >c >S <ZE >Q <C <ZI",
        ">Q <G <E <ZI >B >F <E >c >c >S <ZI >Q <N <C <ZI",
        ">F >Q <V <ZI <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">F >Q <E <ZI <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q <G >d >c >P <C <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">Q >Q <G <E <ZI <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >S >c >f <G <E <ZI <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >S <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E <1 <2 <G <E >S <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >D <G <E <ZI <E >P >B >E >c >c >S <ZI >Q <N <C <ZI",
        ">Q >d >c >c >P <G <C <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">F >P <E <ZI >B >E <1 <2 <G >c >c >S <C <ZI >Q <N <C <ZI",
        ">P >B >E >S >d <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">f >P >B >E <1 <2 <G <E >S <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q <G <E <ZI >Q >d >c <G <C <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">d >Q >Q >d >c <E <ZI <G <C <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >P >Q >S <E <ZI <1 <G >c <C <ZI >c >S <ZI >Q <N <C <ZI",
        ">Q >B >P >F >Q <G <E <ZI <E >d >c >c >c >S <ZI >Q <N <C <ZI",
        ">P >P >B >E >S <1 <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">F >P <E <ZI >B >E >S <1 <2 <G >c >c >S <C <ZI >Q <N <C <ZI",
        ">P >B >E >S >P <1 <2 <G <E <ZI >c >c >S <1 <ZI >Q <N <C <ZI",
        ">P >B >E <1 <2 <G <E >S >P <ZI >c >c >S <1 <ZI >Q <N <C <ZI",
        ">Q <G >d >c >d >H <C <ZI >D >E <E >c >c >S <ZI >Q <N <C <ZI",
        ">C >P >B >E >S <3 <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >Q <1 <2 <D <C <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">d >d >P >B >E <1 <2 <G <E >S <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >P >B >E >S <1 <1 <2 <G <E <ZI >c >c >S >Q <ZI <N <C <ZI",
        ">Q <E <ZI >Q >d >c <G <C <ZI >B <E >c >c >S <ZI >Q <N <C <ZI",
        ">Q >Q >P <N <C <ZI <G <E <ZI <E >P >c >c >S <ZI >Q <N <C <ZI",
        ">F >Q >Q <E <ZI <N <C <ZI <G >c <C <ZI >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >S >C <1 <2 <G <E <ZI >f >c >c >S <3 <ZI >Q <N <C <ZI",
        ">Q >d <G >c >d >B >B <C <ZI <E >c >P >c >c >S <ZI >Q <N <C <ZI",
        ">Q >P >B >E >S <G <E <ZI <1 <2 <G >c >c >S <C <ZI >Q <N <C <ZI",
        ">P >B >E >S >d <1 <2 <G <E <ZI >P >c >c >S <1 <ZI >Q <N <C <ZI",
        ">F >P >B >E >S >c <E <ZI <1 <2 <G >c >c >S <C <ZI >Q <N <C <ZI",
        ">c >Q >P >B >E <G <E <ZI >c >c >S <1 <2 <D <C <ZI >Q <N <C <ZI",
        ">P >B >E >S >D <1 <2 <G <E <ZI >c >c >S <t <n <ZI >Q <N <C <ZI",
        ">P >B >E <1 <2 <G <E >S >H >B <ZI >c >c >S <2 <ZI >Q <N <C <ZI",
        ">S >c >P <ZI >B >E >S <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">F >P >B >E >S <E <ZI <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">F >P >B >E >S <V <ZI <1 <2 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >P >Q >Q <1 <1 <G <E <ZI <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">C >P >B >E >S >P <3 <1 <2 <G <E <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >d <1 <2 <G >c >S >D <C <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >S <1 <2 <G <E <ZI >Q >f >d <C <ZT >c >c >S <ZT >Q <C <ZI",
        ">Q <G >d >c <C <ZI >d >c >Q >D <E <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E <1 <2 <G <E >S >d <ZI >Q <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >d <G >c >D >P >B >E <C <ZI <E >S <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">D >S >Q <E <ZI <G >c <C <T <D <C <G >c <C <ZI >S <ZI >Q <N <C <ZI",
        ">Q >d <G >c >Q >B >P <C <ZI <I <ZI <E >Q >c >c >S <ZI >Q <N <C <ZI",
        ">S >P <ZI >B >E >S >C <1 <2 <G <E <ZI >c >c >S <3 <ZI >Q <N <C <ZI",
        ">P >Q <1 <G <E <ZI >C >S >F <3 <ZI <V <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >d >c <G <C <ZI >E <E >P >B >E >P >B >E >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >d >c <1 <2 <G >S >D >P <C <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >H >Q <1 <2 <H <d <c <C <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >Q >c <1 <2 <H <d <c <C <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">Q >P <E <ZI >B >E >S <1 <2 <G >c >B >c >c >S <C <2 <ZI >Q <N <C <ZI",
        ">Q >d >c >P <G <C <ZI <E >Q >f >P >B >E >Q >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >S <1 <2 <G <E <ZI >P >B >E >Q <E >c >c >S <ZI >Q <N <C <ZI",
        ">d >Q >d >c <G <E <ZI >B >P >B >E >S <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">d >Q >d >c <G <C <ZI >F >P >P <E <ZI >c >c >S <1 <1 <ZI >Q <N <C <ZI",
        ">F >P >B >E <V <ZI <1 <2 <G <E >S >P <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">P >f >P <E >B >E >S >P <ZI >Q <1 <G <E <ZI >c >c >S <ZI >Q <N <C <ZI",
        ">P >B >E >S <1 <2 <G <E <ZI >F >E <E <ZI <E >c >c >S <ZI >Q <N <C <ZI",
        ">Q <G >d >c >d >E >P <C <ZI <E >B >E >S <ZI >c >c >S <ZI >Q <N <C <ZI",
    ] as [String]).map { FlowScript($0, $0) }
