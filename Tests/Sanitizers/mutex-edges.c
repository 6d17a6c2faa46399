// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

// Tells ThreadSanitizer about the slow path of Swift's Synchronization.Mutex. To be preloaded into the tests.
//
// The fast path of a Mutex is inlined into its user and instrumented there. When the lock is contended, the user calls
// the standard library, which is not instrumented, and the kernel hands the lock over (FUTEX_LOCK_PI): the sanitizer sees
// neither the release nor the acquire, and takes the next holder's accesses for a race. A suppression would have to name
// every function that runs under a Mutex and so hide real races there. Instead these three functions stand before the
// standard library's and draw the missing edges. mutex-proof.swift shows both the false report and that real races
// are still reported; Tests/sanitize runs it each time.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

// Weak: child processes without the sanitizer are preloaded too.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))
// Methods of Synchronization._MutexHandle: _lockSlow(_: UInt32), _tryLockSlow() -> Bool, _unlockSlow().
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT void (*lock_function)(uint32_t thread, SELF void *handle);
typedef SWIFT bool (*try_lock_function)(SELF void *handle);
typedef SWIFT void (*unlock_function)(SELF void *handle);

SWIFT void lock_slow(uint32_t thread, SELF void *handle) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF void *handle) __asm__(TRY_LOCK);
SWIFT void unlock_slow(SELF void *handle) __asm__(UNLOCK);

// Looked up before there are threads; a C library that finds them later would need a lock of its own.
static lock_function real_lock;
static try_lock_function real_try_lock;
static unlock_function real_unlock;

__attribute__((constructor)) static void look_up(void) {
    real_lock = (lock_function)dlsym(RTLD_NEXT, LOCK);
    real_try_lock = (try_lock_function)dlsym(RTLD_NEXT, TRY_LOCK);
    real_unlock = (unlock_function)dlsym(RTLD_NEXT, UNLOCK);
}

SWIFT void lock_slow(uint32_t thread, SELF void *handle) {
    real_lock(thread, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT bool try_lock_slow(SELF void *handle) {
    bool taken = real_try_lock(handle);
    if (taken && __tsan_acquire) __tsan_acquire(handle);
    return taken;
}

SWIFT void unlock_slow(SELF void *handle) {
    if (__tsan_release) __tsan_release(handle);
    real_unlock(handle);
}
