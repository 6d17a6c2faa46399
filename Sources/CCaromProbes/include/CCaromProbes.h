// Static probes (USDT, provider `carom`), under the trait `Probes`. A probe is a `nop` and a note in the ELF file: a tracer puts a trap
// in its place. While one looks at a probe its semaphore is not zero; only then are arguments made.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CAROM_PROBE(name)                                                                                    \
    extern volatile unsigned short carom_##name##_semaphore;                                                 \
    /** Whether a tracer looks at this probe. */                                                             \
    static inline bool carom_watches_##name(void) {                                                          \
        return __builtin_expect(carom_##name##_semaphore != 0, 0);                                           \
    }

CAROM_PROBE(claim)
CAROM_PROBE(claim_failed)
CAROM_PROBE(returned)
CAROM_PROBE(connect)
CAROM_PROBE(connected)
CAROM_PROBE(connect_failed)
CAROM_PROBE(recycle)
CAROM_PROBE(recycled)
CAROM_PROBE(recycle_failed)
CAROM_PROBE(close)
CAROM_PROBE(backend_added)
CAROM_PROBE(backend_removed)
CAROM_PROBE(backend_state)
CAROM_PROBE(resolved)
CAROM_PROBE(session_begin)
CAROM_PROBE(session_end)

/// A claim was served after so many nanoseconds.
void carom_probe_claim(const char *pool, const char *backend, uint64_t slot, uint64_t waited);
/// A claim failed after so many nanoseconds.
void carom_probe_claim_failed(const char *pool, const char *code, uint64_t waited);
/// A connection was given back.
void carom_probe_returned(const char *pool, const char *backend, uint64_t slot);
/// A connect began.
void carom_probe_connect(const char *pool, const char *backend, uint64_t slot, uint64_t attempt);
/// It succeeded.
void carom_probe_connected(const char *pool, const char *backend, uint64_t slot);
/// It failed.
void carom_probe_connect_failed(const char *pool, const char *backend, uint64_t slot, const char *reason);
/// A returned connection is being made clean.
void carom_probe_recycle(const char *pool, uint64_t slot);
/// It is clean.
void carom_probe_recycled(const char *pool, uint64_t slot);
/// It could not be made clean.
void carom_probe_recycle_failed(const char *pool, uint64_t slot, const char *reason);
/// A connection is being closed.
void carom_probe_close(const char *pool, const char *backend, uint64_t slot, const char *reason);
/// The resolver named a backend.
void carom_probe_backend_added(const char *pool, const char *backend);
/// The resolver no longer names a backend.
void carom_probe_backend_removed(const char *pool, const char *backend);
/// The health of a backend changed.
void carom_probe_backend_state(const char *pool, const char *backend, const char *before, const char *now);
/// The resolver published a set of so many backends.
void carom_probe_resolved(const char *pool, uint64_t count);
/// A client of the pooler has logged in.
void carom_probe_session_begin(uint64_t client, const char *user, const char *database);
/// A client of the pooler has gone.
void carom_probe_session_end(uint64_t client);
