// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `carom [serve] FILE`: runs the pooler.
struct Serve: ServingCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the pooler.",
        discussion: """
            SIGTERM and SIGINT stop it: clients finish their transactions first; a second signal, or SIGQUIT, ends them at \
            once. SIGUSR2 stops it too, however long clients take. SIGHUP reads the configuration again; SIGUSR1 opens the \
            log file again. Under systemd it speaks the protocol of Type=notify-reload, with the watchdog, and takes over \
            the sockets of a socket unit. Exit code 0 after an orderly stop, 1 when it could not start.
            """)

    @OptionGroup var options: ServiceOptions
    @Flag(name: [.customShort("R"), .long], help: "Take over from a running pooler, as carom upgrade does.")
    var reboot = false

    var takesOver: Bool { reboot }
}
