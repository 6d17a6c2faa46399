// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

#include <stdint.h>

// Calls of malloc, calloc, realloc and the aligned variants in this process so far.
// The functions of the C library are replaced for every program that links this target.
uint64_t allocation_count(void);

// Calls of free with something to free.
uint64_t deallocation_count(void);

#endif
