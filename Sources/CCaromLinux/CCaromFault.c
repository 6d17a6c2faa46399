// What a fault of the process leaves behind: one line. Only async-signal-safe calls, and memory that was filled before.
#define _GNU_SOURCE
#include "CCaromLinux.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PLACES = 8, LONGEST_TEXT = 128, STACK_SIZE = 64 * 1024, PATIENCE_MS = 1000 };

static const struct {
    int number;
    const char *name;
} faults[] = {
    {SIGILL, "SIGILL"}, {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGSEGV, "SIGSEGV"},
    {SIGSYS, "SIGSYS"},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static struct sigaction before[FAULTS];
static char lines[FAULTS][LONGEST_TEXT + 64];
static int places[MOST_PLACES];
static int place_count;
static atomic_flag is_told = ATOMIC_FLAG_INIT;
static atomic_long waiting;
static atomic_int writing;
static atomic_bool is_closed;

void carom_log_queued(long count) { atomic_fetch_add_explicit(&waiting, count, memory_order_relaxed); }

void carom_log_begin_write(void) {
    atomic_fetch_add(&writing, 1);
    if (!atomic_load(&is_closed)) return;
    atomic_fetch_sub(&writing, 1);
    while (1) pause();
}

void carom_log_end_write(void) { atomic_fetch_sub(&writing, 1); }

// Threads that write the log go on meanwhile, unless the fault is in one of them. Then the log is closed to them: others still
// serve clients and have more to say, which must not come behind the last line.
static void let_the_log_finish(void) {
    const struct timespec pause = {.tv_nsec = 1000000};
    int round = 0;
    for (; round < PATIENCE_MS && atomic_load(&waiting) > 0; round++) nanosleep(&pause, NULL);
    atomic_store(&is_closed, true);
    for (; round < PATIENCE_MS && atomic_load(&writing) > 0; round++) nanosleep(&pause, NULL);
}

static void tell(const char *line) {
    for (int index = 0; index < place_count; index++) {
        // A pipe that says so takes at least PIPE_BUF bytes without waiting.
        struct pollfd room = {.fd = places[index], .events = POLLOUT};
        if (poll(&room, 1, PATIENCE_MS) == 1 && room.revents & POLLOUT) {
            ssize_t written = write(places[index], line, strlen(line));
            (void)written;
        }
    }
}

// Called, not raised again: the handler of Swift's runtime returns from a signal that was sent, which would then end nothing.
static void call(const struct sigaction *action, int number, siginfo_t *info, void *context) {
    if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(number, info, context);
    } else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
        action->sa_handler(number);
    }
}

static void handle(int number, siginfo_t *info, void *context) {
    int error = errno;
    for (int index = 0; index < FAULTS; index++) {
        if (faults[index].number != number) continue;
        // Of several threads with a fault the first tells, and the others give it the time for that.
        if (atomic_flag_test_and_set(&is_told)) {
            const struct timespec pause = {.tv_sec = 3 * PATIENCE_MS / 1000};
            nanosleep(&pause, NULL);
        } else {
            let_the_log_finish();
            tell(lines[index]);
            call(&before[index], number, info, context);
        }
    }
    signal(number, SIG_DFL);
    errno = error;
    // An instruction that faults does so again when this returns. What else raised the signal must do so again, and so must a
    // breakpoint, which is behind us; it comes when the handler has returned.
    if (info->si_code <= 0 || number == SIGTRAP) raise(number);
}

void carom_report_faults(const char *text, const int *descriptors, int count) {
    place_count = 0;
    for (int index = 0; index < count && index < MOST_PLACES; index++) places[place_count++] = descriptors[index];
    for (int index = 0; index < FAULTS; index++) {
        char *line = lines[index];
        size_t room = LONGEST_TEXT;
        line[0] = 0;
        strncat(line, text, room);
        strcat(line, ": ended by ");
        strcat(line, faults[index].name);
        strcat(line, ", a fault of the program\n");
        struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigfillset(&action.sa_mask);
        struct sigaction old;
        if (sigaction(faults[index].number, &action, &old) == 0 && old.sa_sigaction != handle) before[index] = old;
    }
}

void *carom_enter_fault_stack(void) {
    stack_t stack = {.ss_sp = malloc(STACK_SIZE), .ss_size = STACK_SIZE};
    if (stack.ss_sp == NULL) return NULL;
    if (sigaltstack(&stack, NULL) == 0) return stack.ss_sp;
    free(stack.ss_sp);
    return NULL;
}

void carom_leave_fault_stack(void *memory) {
    if (memory == NULL) return;
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    free(memory);
}
