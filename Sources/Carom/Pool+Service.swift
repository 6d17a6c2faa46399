// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if ServiceLifecycle
    public import ServiceLifecycle

    /// A pool is a service: on graceful shutdown it stops with its policy's grace, on cancellation at once.
    extension Pool: Service {}
#endif
