// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One directive of one kind of block: how its value is read, and how it is written back.
///
/// The tables of these are the model that every grammar fills; the dump and the test of the documentation go by them too.
struct Directive<Scope>: Sendable {
    typealias Value = ConfigurationValue
    typealias Path<Property> = any WritableKeyPath<Scope, Property> & Sendable

    let name: String
    /// What the value must be, as in "expected …".
    let expects: String
    /// The value never appears in a message.
    var isSecret = false
    /// Accepted for the sake of Odyssey's configurations; has no effect here.
    var isIgnored = false
    /// The directive that says the same, of which this is another name.
    var canonical: String?
    /// Puts the value into the scope.
    let read: @Sendable (Value, inout Scope) throws(ValueError) -> Void
    /// The value as Odyssey's grammar writes it; `nil` when there is nothing to write.
    let write: @Sendable (Scope) -> String?
    /// The value with its secret, as Odyssey's grammar writes it; nil for what has none.
    var reveal: (@Sendable (Scope) -> String?)?
    /// Whether two secrets are the same; nil for what can be seen by what is written.
    var isSame: (@Sendable (Scope, Scope) -> Bool)?

    /// What stands once in a block.
    var key: String { canonical ?? name }
    /// Whether both say the same.
    func agrees(_ one: Scope, _ other: Scope) -> Bool { isSame?(one, other) ?? (write(one) == write(other)) }
}

/// The directives of one kind of block.
package struct DirectiveTable<Scope>: Sendable {
    /// What messages call the block: `listen`; empty for the top of the file.
    let block: String
    /// Words that begin a block or `include` inside of this block.
    let sections: [String]
    let directives: [Directive<Scope>]
    /// Directives of Odyssey that would have a meaning here, but are not supported.
    let foreign: Set<String>
    private let byName: [String: Int]

    init(block: String, sections: [String] = [], foreign: Set<String> = [], _ directives: [Directive<Scope>])
    {
        self.block = block
        self.sections = sections
        self.directives = directives
        self.foreign = foreign
        var byName: [String: Int] = [:]
        for (index, directive) in directives.enumerated() { byName[directive.name] = index }
        self.byName = byName
    }

    subscript(_ name: String) -> Directive<Scope>? { byName[name].map { directives[$0] } }

    /// Every word that may begin a statement.
    var words: [String] { directives.map(\.name) + sections }

    func contains(_ word: String) -> Bool { byName[word] != nil || sections.contains(word) }
}

/// Settings that directives fill.
package protocol ConfigurationScope: SendableMetatype {
    /// Every directive of the block.
    static var directives: DirectiveTable<Self> { get }
}
