// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// A resolver whose backends have attributes that it does not know of.
struct LabelledResolver: Resolver {
    let resolver: any Resolver
    let attributes: [String: String]

    func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        await resolver.run { [attributes] set in
            publish(
                BackendSet(
                    set.backends.map { backend in
                        var backend = backend
                        backend.attributes.merge(attributes) { $1 }
                        return backend
                    }))
        }
    }
}
