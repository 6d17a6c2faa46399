// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The number of letters to insert, delete or replace to turn one word into the other (Levenshtein).
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    for (i, letter) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, other) in right.enumerated() {
            let replaced = diagonal + (letter == other ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
        }
    }
    return row[right.count]
}

/// The candidate nearest to a misspelled word, when at most two letters are wrong; the first of equals.
func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    var best: (word: String, distance: Int)?
    for candidate in candidates where abs(candidate.utf8.count - word.utf8.count) <= 2 {
        let distance = editDistance(word, candidate)
        // A word of two letters is within two of any other: something must be left that fits.
        guard distance <= 2, distance < candidate.utf8.count, distance < (best?.distance ?? .max) else {
            continue
        }
        best = (candidate, distance)
    }
    return best?.word
}
