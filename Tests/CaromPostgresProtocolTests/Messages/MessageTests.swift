// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@Suite struct MessageTests {
    @Test func frontendMessagesComeBackAsTheyWereWritten() throws {
        let parse = Parse(name: "s", query: "select $1", parameterTypes: [23, 0])
        #expect(try Parse(body: body(encoded { parse.encode(into: &$0) }).span.bytes) == parse)
        let bind = Bind(
            portal: utf8("p"), statement: utf8("s"), parameterFormats: [.text, .binary],
            parameters: [utf8("a"), nil, []], resultFormats: [.binary])
        #expect(try Bind(body: body(encoded { bind.encode(into: &$0) }).span.bytes) == bind)
        let object = NamedObject(.portal, name: "p")
        #expect(
            try NamedObject(body: body(encoded { object.encodeDescribe(into: &$0) }).span.bytes) == object)
        #expect(encoded { object.encodeClose(into: &$0) } == message("C", utf8("Pp\0")))
        let execute = Execute(portal: utf8("p"), limit: 100)
        #expect(try Execute(body: body(encoded { execute.encode(into: &$0) }).span.bytes) == execute)
        let call = FunctionCall(
            function: 1299, argumentFormats: [.binary], arguments: [[1, 2], nil], resultFormat: .binary)
        #expect(try FunctionCall(body: body(encoded { call.encode(into: &$0) }).span.bytes) == call)
        #expect(
            try Query(body: body(encoded { Query("select 1").encode(into: &$0) }).span.bytes)
                == Query("select 1"))
        let fail = CopyFail(reason: "enough")
        #expect(try CopyFail(body: body(encoded { fail.encode(into: &$0) }).span.bytes) == fail)
        let password = PasswordMessage(password: utf8("secret"))
        #expect(
            try PasswordMessage(body: body(encoded { password.encode(into: &$0) }).span.bytes) == password)
        for data in [nil, [], utf8("n,,n=,r=x")] as [[UInt8]?] {
            let first = SASLInitialResponse(mechanism: "SCRAM-SHA-256", data: data)
            #expect(
                try SASLInitialResponse(body: body(encoded { first.encode(into: &$0) }).span.bytes) == first)
        }
        #expect(encoded { SASLResponse.encode([1, 2], into: &$0) } == message("p", [1, 2]))
        #expect(encoded { FrontendTag.sync.encodeEmpty(into: &$0) } == [0x53, 0, 0, 0, 4])
    }

    @Test func backendMessagesComeBackAsTheyWereWritten() throws {
        let columns = RowDescription(columns: [
            .init("a", type: 23, typeSize: 4),
            .init("", type: 25, typeModifier: 7, table: 9, attribute: 2, format: .binary),
        ])
        #expect(try RowDescription(body: body(encoded { columns.encode(into: &$0) }).span.bytes) == columns)
        let row = DataRow(texts: ["a", nil, ""])
        #expect(try DataRow(body: body(encoded { row.encode(into: &$0) }).span.bytes) == row)
        for request: AuthenticationRequest in [
            .ok, .cleartextPassword, .md5Password(salt: [1, 2, 3, 4]), .sasl(mechanisms: ["A", "B"]),
            .sasl(mechanisms: []),
            .saslContinue([1]), .saslFinal([]), .unsupported(7),
        ] {
            #expect(
                try AuthenticationRequest(body: body(encoded { request.encode(into: &$0) }).span.bytes)
                    == request)
        }
        let status = ParameterStatus(name: "TimeZone", value: "UTC")
        #expect(try ParameterStatus(body: body(encoded { status.encode(into: &$0) }).span.bytes) == status)
        for size in [4, 32, 256] {
            let key = BackendKeyData(processID: 4_000_000_000, key: [UInt8](repeating: 1, count: size))
            #expect(try BackendKeyData(body: body(encoded { key.encode(into: &$0) }).span.bytes) == key)
        }
        for status in TransactionStatus.allCases {
            let ready = ReadyForQuery(status: status)
            #expect(try ReadyForQuery(body: body(encoded { ready.encode(into: &$0) }).span.bytes) == ready)
        }
        let copy = CopyResponse(format: .text, columns: [.text, .binary])
        #expect(
            try CopyResponse(body: body(encoded { copy.encode(as: .copyInResponse, into: &$0) }).span.bytes)
                == copy)
        let types = ParameterDescription(types: [1, 0xffff_ffff])
        #expect(try ParameterDescription(body: body(encoded { types.encode(into: &$0) }).span.bytes) == types)
        let note = NotificationResponse(processID: 1, channel: "c", payload: "")
        #expect(try NotificationResponse(body: body(encoded { note.encode(into: &$0) }).span.bytes) == note)
        for value in [nil, [], [1]] as [[UInt8]?] {
            let result = FunctionCallResponse(value: value)
            #expect(
                try FunctionCallResponse(body: body(encoded { result.encode(into: &$0) }).span.bytes)
                    == result)
        }
        #expect(encoded { BackendTag.parseComplete.encodeEmpty(into: &$0) } == [0x31, 0, 0, 0, 4])
        #expect(encoded { CopyData.encode([9], into: &$0) } == message("d", [9]))
    }

    @Test func aCommandTagIsRecognisedWithoutCopying() throws {
        let bytes = body(encoded { CommandComplete(tag: "DISCARD ALL").encode(into: &$0) })
        let isWhole = CommandComplete.isTag("DISCARD ALL", in: bytes.span.bytes)
        let isShorter = CommandComplete.isTag("DISCARD AL", in: bytes.span.bytes)
        let isOther = CommandComplete.isTag("DEALLOCATE!", in: bytes.span.bytes)
        #expect(isWhole && !isShorter && !isOther)
        #expect(try CommandComplete(body: bytes.span.bytes).rows == nil)
        #expect(CommandComplete(tag: "INSERT 0 42").rows == 42)
    }

    @Test func aStatementIsRenamedWithoutReadingTheRest() throws {
        let parse = Parse(name: "mine", query: "select $1", parameterTypes: [23])
        let original = body(encoded { parse.encode(into: &$0) })
        let layout = try Parse.Layout(body: original.span.bytes)
        let renamed = encoded {
            Parse.encode(
                name: utf8("carom_1"), content: original.span.bytes.extracting(layout.content), into: &$0)
        }
        var expected = parse
        expected.name = utf8("carom_1")
        #expect(renamed == encoded { expected.encode(into: &$0) })

        let bind = Bind(portal: utf8("p"), statement: utf8("mine"), parameters: [utf8("x")])
        let bindBody = body(encoded { bind.encode(into: &$0) })
        let names = try Bind.Names(body: bindBody.span.bytes)
        let rebound = encoded {
            Bind.encodeNames(
                portal: bindBody.span.bytes.extracting(names.portal), statement: utf8("carom_1"),
                restCount: bindBody.count - names.rest, into: &$0)
        }
        var expectedBind = bind
        expectedBind.statement = utf8("carom_1")
        #expect(rebound + bindBody[names.rest...] == encoded { expectedBind.encode(into: &$0) })
    }

    @Test func aZeroByteInATextEndsItInsteadOfBreakingTheMessage() throws {
        let bytes = encoded { ParameterStatus(name: "a\0b", value: "c").encode(into: &$0) }
        #expect(try ParameterStatus(body: body(bytes).span.bytes) == ParameterStatus(name: "a", value: "c"))
    }

    @Test func aPasswordIsNeverDescribed() {
        let message = PasswordMessage(password: utf8("hunter2"))
        var shown = "\(message) \(String(reflecting: message))"
        dump(message, to: &shown)
        #expect(!shown.contains("hunter2") && !shown.contains("104"))
    }

    @Test func idleMeaningsCoverEveryMessage() {
        let working = FrontendTag.allCases.filter { $0.idleMeaning == .startsWork }
        #expect(Set(working) == [.bind, .close, .describe, .execute, .functionCall, .parse, .query])
        #expect(
            FrontendTag.sync.idleMeaning == .answersReady && FrontendTag.password.idleMeaning == .violation)
        #expect(
            BackendTag.allCases.filter(\.isAsynchronous) == [
                .noticeResponse, .notificationResponse, .parameterStatus,
            ])
    }
}

@Suite struct ErrorFieldsTests {
    @Test func whatWeSayIsWhatIsRead() {
        let fields = ErrorFields(
            severity: .fatal, code: .tooManyConnections, message: "no more", detail: "100 of 100",
            hint: "wait")
        let bytes = encoded { fields.encode(into: &$0) }
        let read = ErrorFields(body: body(bytes).span.bytes)
        #expect(bytes[0] == 0x45 && read == fields && read.isFatal)
        #expect(read.code == .tooManyConnections && read.text(.localizedSeverity) == "FATAL")
        #expect(read.detail == "100 of 100" && read.hint == "wait")
        #expect(read.description == "FATAL 53300: no more")
        #expect(encoded { fields.encode(asNotice: true, into: &$0) }[0] == 0x4e)
    }

    @Test(
        arguments: [
            ([], nil, nil), ([0], nil, nil), (utf8("M"), nil, nil), (utf8("Mcut"), nil, "cut"),
            (utf8("Mx\0"), nil, "x"),
            (utf8("C42601\0Mx\0\0"), "42601", "x"), (utf8("C4260\0\0"), nil, nil),
            (utf8("C\0M\0\0"), nil, ""),
            (utf8("C42601\0C28000\0Ma\0Mb\0\0"), "42601", "a"), (utf8("!y\0Mx\0\0"), nil, "x"),
            (utf8("Mx\0\0Mignored\0"), nil, "x"), (utf8("M") + [0xff, 0, 0], nil, "\u{fffd}"),
            (utf8("Clower\0\0"), nil, nil),
        ] as [([UInt8], String?, String?)])
    func aBrokenErrorStillReads(_ body: [UInt8], _ code: String?, _ message: String?) {
        let fields = ErrorFields(body: body.span.bytes)
        #expect(fields.code?.description == code && fields.message == message)
        #expect(!fields.description.isEmpty && !fields.isFatal)
    }

    @Test func aStateIsFiveCapitalsOrDigits() {
        #expect(SQLState("08P01") == .protocolViolation)
        #expect(
            SQLState.protocolViolation.bytes == utf8("08P01") && SQLState.protocolViolation.classCode == "08")
        for text in ["", "0800", "080011", "08p01", "08-01"] { #expect(SQLState(text) == nil) }
    }
}
