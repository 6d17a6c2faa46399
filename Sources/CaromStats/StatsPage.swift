// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The page at `/`: plots and numbers that follow `/stats`. It loads nothing from elsewhere.
///
/// It is text in the program, so that a static binary has it. A browser runs and applies only what bears the answer's own
/// nonce: neither a name that comes from outside nor an extension's idea of a link can add to it.
struct StatsPage {
    private let nonce: String

    /// The page for one answer.
    init() {
        var generator = SystemRandomNumberGenerator()
        self.init(nonce: (0..<2).map { _ in String(generator.next(), radix: 36) }.joined())
    }

    init(nonce: String) { self.nonce = nonce }

    /// What a browser may do for the page, by the names of the headers.
    var headers: [String: String] {
        [
            "Content-Security-Policy": """
            default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; \
            img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        ]
    }

    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Carom</title><link rel="icon" href="data:,">
        <style nonce="\(nonce)">
        \(Self.style)
        </style>
        </head>
        <body>
        <header><h1>Carom</h1><p id="about"></p><p id="pulse" class="chip">asking</p></header>
        <main>
        <section id="tiles" class="grid" aria-label="The whole"></section>
        <ul id="limits" aria-label="Limits"></ul>
        <input id="filter" type="search" placeholder="Show what has this in its name" aria-label="Filter by name">
        <section id="routes" class="grid" aria-label="Routes"></section>
        <p id="rest" class="detail"></p>
        </main>
        <script nonce="\(nonce)">
        \(Self.script)
        \(Self.loop)
        </script>
        </body>
        </html>

        """
    }
}
