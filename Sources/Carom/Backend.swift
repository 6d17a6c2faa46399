// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One running instance of a service, as a resolver describes it.
public struct Backend: Hashable, Sendable, Identifiable {
    /// The name the resolver knows it by, for example the target of an SRV record.
    public var name: String
    /// Where it listens.
    public var address: BackendAddress
    /// Lower is preferred, as in SRV records (RFC 2782): a group is used only while all better ones are dead.
    public var priority: Int
    /// Its share among backends of equal priority. 0 is allowed and means very little.
    public var weight: Int
    /// Facts given by the resolver, such as `zone`. What a connector learns on connecting is laid over them.
    public var attributes: [String: String]

    /// A backend; without a name it is called by its printed address.
    public init(
        name: String? = nil, address: BackendAddress, priority: Int = 0, weight: Int = 1,
        attributes: [String: String] = [:]
    ) {
        self.name = name ?? address.description
        self.address = address
        self.priority = priority
        self.weight = weight
        self.attributes = attributes
    }

    /// Its identity: a known name at a changed address is another backend.
    public var id: BackendID { BackendID(name: name, address: address) }
}

/// What makes a backend itself: name and address (with port).
public struct BackendID: Hashable, Sendable, CustomStringConvertible {
    /// The backend's name.
    public let name: String
    /// The backend's address.
    public let address: BackendAddress

    /// The identity of the backend of this name at this address.
    public init(name: String, address: BackendAddress) {
        self.name = name
        self.address = address
    }

    /// The address, with the name in front if it says more.
    public var description: String {
        let printed = address.description
        return name == printed ? printed : "\(name) (\(printed))"
    }
}
