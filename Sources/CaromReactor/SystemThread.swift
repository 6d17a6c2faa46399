// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// A thread of the system, for what blocks or loops on its own.
package enum SystemThread {
    /// Starts a thread that runs `body` and ends with it.
    ///
    /// Signals of the process go to other threads: here all are blocked but those that tell of a fault of this thread's own,
    /// and the profiler's.
    ///
    /// - Parameters:
    ///   - name: what `top` and debuggers show, cut to the 15 bytes that the kernel keeps.
    ///   - body: what the thread does.
    /// - Throws: ``SystemError`` with `EAGAIN` when threads have run out.
    package static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var before = sigset_t()
        var blocked = sigset_t()
        sigfillset(&blocked)
        for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF] {
            sigdelset(&blocked, signal)
        }
        // A new thread inherits the mask, so no signal can come in between.
        pthread_sigmask(SIG_SETMASK, &blocked, &before)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, start.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        if code != 0 {
            start.release()
            throw SystemError(code: code, operation: "pthread_create")
        }
        pthread_detach(thread)
    }

    private final class Start {
        private let name: String
        private let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        func run() {
            carom_name_thread(String(decoding: name.utf8.prefix(15), as: UTF8.self))
            let stack = carom_enter_fault_stack()
            defer { carom_leave_fault_stack(stack) }
            body()
        }
    }
}
