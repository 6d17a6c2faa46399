// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if ServiceLifecycle
    public import ServiceLifecycle

    /// On graceful shutdown it stops with its policy's grace, on cancellation at once.
    extension PostgresPool: Service {}
#endif
