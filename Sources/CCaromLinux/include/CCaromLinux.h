// Linux calls and constants that Swift's Glibc module does not import, and thin forms of those it cannot call.
#pragma once
#include <malloc.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int carom_accept(int listener, struct sockaddr_storage *peer, socklen_t *length);

/// Names the calling thread; at most 15 bytes.
void carom_name_thread(const char *name);

/// The GNU form of strerror_r(3).
const char *carom_error_text(int code, char *buffer, size_t size);

/// gettid(2): the number that top and perf show for the calling thread.
int carom_thread_id(void);

/// dup3(2) with O_CLOEXEC: puts the file behind `source` behind `target` too, in one step.
int carom_replace_descriptor(int source, int target);
