// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private func content(_ text: String, _ types: UInt32...) -> [UInt8] {
    var bytes = Array(text.utf8) + [0]
    bytes.append16(UInt16(types.count))
    for type in types { bytes.append32(type) }
    return bytes
}

private func list(_ types: UInt32...) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append16(UInt16(types.count))
    for type in types { bytes.append32(type) }
    return bytes
}

@Suite struct ParameterTypesTests {
    @Test func theyTakeThePlaceOfTheClientsOwn() {
        let memory = StatementMemory()
        do {
            let types = ParameterTypes(list(23, 25), in: memory)
            #expect(memory.bytes == 10)
            for own in [content("insert"), content("insert", 23), content("insert", 0, 25)] {
                #expect(types.content(of: own) == content("insert", 23, 25))
            }
        }
        #expect(memory.bytes == 0)
    }

    @Test func typesThatAClientSaysAreNotKept() {
        #expect(ParameterTypes.areSaid(list(23, 25), in: content("insert", 23, 25)))
        #expect(ParameterTypes.areSaid(list(), in: content("insert")))
        #expect(!ParameterTypes.areSaid(list(23, 25), in: content("insert", 23)))
        #expect(!ParameterTypes.areSaid(list(23), in: content("insert", 0)))
        #expect(!ParameterTypes.areSaid(list(23), in: content("insert", 20, 23)))
    }
}
