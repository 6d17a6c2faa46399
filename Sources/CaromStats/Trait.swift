// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

// What it imports is not even fetched without the trait: this is said first, and in words.
#if !Statistics
    #error("CaromStats and CaromTop need the package trait Statistics: .package(…, traits: [\"Statistics\"])")
#endif
