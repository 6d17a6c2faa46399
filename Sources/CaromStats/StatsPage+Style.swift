// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension StatsPage {
    /// How the page looks: in columns as many as fit, one on a phone; dark where the reader's system is.
    static let style = #"""
        :root { --ink: #1d2327; --soft: #5d6770; --page: #f4f5f6; --card: #fff; --edge: #dde1e4; --line: #1769aa; --fill: #1769aa22;
            --good: #17733c; --warn: #94590a; --bad: #b3261e }
        @media (prefers-color-scheme: dark) {
            :root { --ink: #e3e7ea; --soft: #98a3ac; --page: #121517; --card: #1b2023; --edge: #2d3438; --line: #63b3ed; --fill: #63b3ed2b;
                --good: #68c98b; --warn: #e3ad55; --bad: #ff8a80 }
        }
        * { box-sizing: border-box; min-width: 0 }
        body { margin: 0 auto; padding: 1rem; max-width: 90rem; color: var(--ink); background: var(--page);
            font: 15px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
        header { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: baseline; margin-bottom: 1rem }
        h1, h2, h3, p, dl, dd, ul { margin: 0; padding: 0 } h1 { font-size: 1.3rem }
        #about { color: var(--soft); flex: 1 }
        .grid { display: grid; gap: .8rem; margin-bottom: .8rem }
        #tiles { grid-template-columns: repeat(auto-fill, minmax(min(10.5rem, 100%), 1fr)) }
        #routes { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); align-items: start }
        .tile, article, #limits:not(:empty) { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: .7rem .9rem }
        #limits:not(:empty) { margin-bottom: .8rem }
        .tile h2, dt, .detail { color: var(--soft); font-size: .8rem; font-weight: normal }
        .value { font-size: 1.5rem; line-height: 1.3 } .detail { min-height: 1.2rem }
        svg { display: block; width: 100%; height: 2.2rem; margin: .4rem 0 }
        polyline { fill: none; stroke: var(--line); stroke-width: 1.5; vector-effect: non-scaling-stroke } polygon { fill: var(--fill) }
        h3 { display: flex; flex-wrap: wrap; gap: .2rem .5rem; align-items: baseline; font-size: 1rem } .name { font-weight: 600 }
        .chip { color: var(--soft); border: 1px solid; border-radius: 1rem; padding: 0 .55rem; font-size: .75rem; font-weight: normal }
        .chip:empty { display: none }
        .running, .online { color: var(--good) } .suspect, .suspended, .stopping { color: var(--warn) } .dead, .failed { color: var(--bad) }
        .bar { display: flex; height: .5rem; border-radius: .25rem; overflow: hidden; background: var(--edge); margin: .2rem 0 .6rem }
        .bar .active, .bar .acquiring { background: var(--line) } .bar .idle { background: var(--good); opacity: .55 }
        .bar .checking, .bar .recycling, .bar .connecting, .bar .closing { background: var(--warn) }
        dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: .4rem .8rem }
        ul { list-style: none } article ul:not(:empty) { margin-top: .6rem; border-top: 1px solid var(--edge) }
        li { display: flex; flex-wrap: wrap; gap: .1rem .8rem; padding-top: .35rem; font-size: .85rem }
        li .name { flex: 1 1 12rem } .error { flex-basis: 100%; color: var(--bad) } .error:empty { display: none }
        input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge); border-radius: .5rem;
            padding: .3rem .7rem; width: min(24rem, 100%); margin-bottom: .8rem }
        """#
}
