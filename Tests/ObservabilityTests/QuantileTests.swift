// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0
