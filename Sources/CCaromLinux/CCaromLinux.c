#define _GNU_SOURCE
#include "CCaromLinux.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

int carom_accept(int listener, struct sockaddr_storage *peer, socklen_t *length) {
    return accept4(listener, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t carom_send_beside(int socket, const void *bytes, size_t count, int descriptor) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } beside = {0};
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = &beside;
        message.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

ssize_t carom_receive_beside(int socket, void *bytes, size_t size, int *descriptor) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } beside;
    struct iovec piece = {.iov_base = bytes, .iov_len = size};
    // Without the padding, in which the kernel would put a second descriptor: what does not fit it closes.
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = CMSG_LEN(sizeof(int))};
    *descriptor = -1;
    ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = count < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(header), sizeof(int));
    return count;
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
