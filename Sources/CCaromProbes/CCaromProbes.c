// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#include "CCaromProbes.h"

#ifdef CAROM_PROBES

#if !__has_include(<sys/sdt.h>)
#error "the trait Probes needs <sys/sdt.h>: install systemtap-sdt-dev"
#endif
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

// Tracers find the semaphores by this section's name.
#define SEMAPHORE(name) __attribute__((section(".probes"))) volatile unsigned short carom_##name##_semaphore = 0;

// Each probe in a function of its own, so that there is one place of it, and one note.
SEMAPHORE(claim)
void carom_probe_claim(const char *pool, const char *backend, uint64_t slot, uint64_t waited) {
    STAP_PROBE4(carom, claim, pool, backend, slot, waited);
}

SEMAPHORE(claim_failed)
void carom_probe_claim_failed(const char *pool, const char *code, uint64_t waited) {
    STAP_PROBE3(carom, claim_failed, pool, code, waited);
}

SEMAPHORE(returned)
void carom_probe_returned(const char *pool, const char *backend, uint64_t slot) {
    STAP_PROBE3(carom, returned, pool, backend, slot);
}

SEMAPHORE(connect)
void carom_probe_connect(const char *pool, const char *backend, uint64_t slot, uint64_t attempt) {
    STAP_PROBE4(carom, connect, pool, backend, slot, attempt);
}

SEMAPHORE(connected)
void carom_probe_connected(const char *pool, const char *backend, uint64_t slot) {
    STAP_PROBE3(carom, connected, pool, backend, slot);
}

SEMAPHORE(connect_failed)
void carom_probe_connect_failed(const char *pool, const char *backend, uint64_t slot, const char *reason) {
    STAP_PROBE4(carom, connect_failed, pool, backend, slot, reason);
}

SEMAPHORE(recycle)
void carom_probe_recycle(const char *pool, uint64_t slot) { STAP_PROBE2(carom, recycle, pool, slot); }

SEMAPHORE(recycled)
void carom_probe_recycled(const char *pool, uint64_t slot) { STAP_PROBE2(carom, recycled, pool, slot); }

SEMAPHORE(recycle_failed)
void carom_probe_recycle_failed(const char *pool, uint64_t slot, const char *reason) {
    STAP_PROBE3(carom, recycle_failed, pool, slot, reason);
}

SEMAPHORE(close)
void carom_probe_close(const char *pool, const char *backend, uint64_t slot, const char *reason) {
    STAP_PROBE4(carom, close, pool, backend, slot, reason);
}

SEMAPHORE(backend_added)
void carom_probe_backend_added(const char *pool, const char *backend) {
    STAP_PROBE2(carom, backend_added, pool, backend);
}

SEMAPHORE(backend_removed)
void carom_probe_backend_removed(const char *pool, const char *backend) {
    STAP_PROBE2(carom, backend_removed, pool, backend);
}

SEMAPHORE(backend_state)
void carom_probe_backend_state(const char *pool, const char *backend, const char *before, const char *now) {
    STAP_PROBE4(carom, backend_state, pool, backend, before, now);
}

SEMAPHORE(resolved)
void carom_probe_resolved(const char *pool, uint64_t count) { STAP_PROBE2(carom, resolved, pool, count); }

SEMAPHORE(session_begin)
void carom_probe_session_begin(uint64_t client, const char *user, const char *database) {
    STAP_PROBE3(carom, session_begin, client, user, database);
}

SEMAPHORE(session_end)
void carom_probe_session_end(uint64_t client) { STAP_PROBE1(carom, session_end, client); }

#endif
