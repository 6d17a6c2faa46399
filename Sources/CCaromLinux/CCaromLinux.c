#define _GNU_SOURCE
#include "CCaromLinux.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

int carom_accept(int listener, struct sockaddr_storage *peer, socklen_t *length) {
    return accept4(listener, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void carom_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

const char *carom_error_text(int code, char *buffer, size_t size) { return strerror_r(code, buffer, size); }

int carom_thread_id(void) {
    static _Thread_local int number;
    if (number == 0) number = gettid();
    return number;
}

int carom_replace_descriptor(int source, int target) { return dup3(source, target, O_CLOEXEC); }

int carom_wait_until(sem_t *semaphore, const struct timespec *time) {
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, time);
}
