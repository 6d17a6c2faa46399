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

int carom_thread_id(void) { return gettid(); }

int carom_replace_descriptor(int source, int target) { return dup3(source, target, O_CLOEXEC); }
