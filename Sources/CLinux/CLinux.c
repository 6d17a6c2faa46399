#define _GNU_SOURCE
#include "CLinux.h"

#include <pthread.h>
#include <string.h>

int carom_accept(int listener, struct sockaddr_storage *peer, socklen_t *length) {
    return accept4(listener, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void carom_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

const char *carom_error_text(int code, char *buffer, size_t size) { return strerror_r(code, buffer, size); }
