// Linux calls and constants that Swift's Glibc module does not import, and thin forms of those it cannot call.
#pragma once
#include <malloc.h>
#include <semaphore.h>
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
#include <time.h>
#include <arpa/inet.h>

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int carom_accept(int listener, struct sockaddr_storage *peer, socklen_t *length);

/// sendmsg(2) with a descriptor beside the bytes (SCM_RIGHTS), none for -1; raises no signal.
ssize_t carom_send_beside(int socket, const void *bytes, size_t count, int descriptor);

/// recvmsg(2): bytes, and the descriptor that came beside them, closed on exec, or -1.
ssize_t carom_receive_beside(int socket, void *bytes, size_t size, int *descriptor);

/// Names the calling thread; at most 15 bytes.
void carom_name_thread(const char *name);

/// The GNU form of strerror_r(3).
const char *carom_error_text(int code, char *buffer, size_t size);

/// The number that top and perf show for the calling thread: gettid(2), asked once a thread.
int carom_thread_id(void);

/// dup3(2) with O_CLOEXEC: puts the file behind `source` behind `target` too, in one step.
int carom_replace_descriptor(int source, int target);

/// sem_clockwait(3) on CLOCK_MONOTONIC.
int carom_wait_until(sem_t *semaphore, const struct timespec *time);

/// From now on a signal that tells of a fault of the program (SIGSEGV and the like) leaves a line at each of the descriptors
/// before it ends the process: the text, and the signal's name. Handlers that were there before are called behind it.
void carom_report_faults(const char *text, const int *descriptors, int count);

/// So many more lines of a log wait to be written, or fewer: a fault waits for them, for a second at most.
void carom_log_queued(long count);

/// A thread is about to write to the log. Does not return when a fault has written the last line, or is about to.
void carom_log_begin_write(void);

/// What was begun is written.
void carom_log_end_write(void);

/// Gives the calling thread a stack for the handling of faults, so that an overflow of its own can be told, and returns it.
void *carom_enter_fault_stack(void);

/// Takes the stack away again at the thread's end.
void carom_leave_fault_stack(void *memory);
