// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#include "CCaromLDAP.h"

#ifdef CAROM_LDAP
#if !__has_include(<ldap.h>)
#error "the trait LDAP needs <ldap.h>: install libldap-dev"
#endif
#include <ldap.h>
#include <openldap.h>
#if LDAP_VENDOR_VERSION < 20500
#error "the trait LDAP needs OpenLDAP's library from 2.5 on: those before may not be used by several threads"
#endif
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct carom_ldap {
    LDAP *connection;
    /// Of the entry that was found.
    char *name;
    struct timespec end;
    char reason[512];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/// The library reads its configuration, and starts that of TLS, at the first use: before several threads can be there at once.
static void prepare(void) {
    LDAP *connection = NULL;
    int client = 0;
    if (ldap_initialize(&connection, "ldap://127.0.0.1") != LDAP_SUCCESS) return;
    ldap_set_option(connection, LDAP_OPT_X_TLS_NEWCTX, &client);
    ldap_unbind_ext_s(connection, NULL, NULL);
}

/// What is left of the time; all zero if nothing is.
static struct timeval left(const struct carom_ldap *ldap) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long microseconds =
        (long long)(ldap->end.tv_sec - now.tv_sec) * 1000000 + (ldap->end.tv_nsec - now.tv_nsec) / 1000;
    if (microseconds < 0) microseconds = 0;
    return (struct timeval){microseconds / 1000000, microseconds % 1000000};
}

static int is_over(struct timeval left) { return left.tv_sec == 0 && left.tv_usec == 0; }

// MARK: What is sent and received

/// Waits until the socket may be read or written. False if that took too long.
static int wait_until_ready(const struct carom_ldap *ldap, int socket, short events) {
    struct timeval time = left(ldap);
    struct pollfd entry = {socket, events, 0};
    // Whoever is interrupted tries again, and comes back with less time.
    if (!is_over(time)) poll(&entry, 1, (int)(time.tv_sec * 1000 + time.tv_usec / 1000 + 1));
    if (entry.revents || !is_over(left(ldap))) return 1;
    errno = ETIMEDOUT;
    return 0;
}

static int set_up(Sockbuf_IO_Desc *layer, void *ldap) {
    layer->sbiod_pvt = ldap;
    return 0;
}

static int take_down(Sockbuf_IO_Desc *layer) {
    (void)layer;
    return 0;
}

static int control(Sockbuf_IO_Desc *layer, int option, void *value) { return LBER_SBIOD_CTRL_NEXT(layer, option, value); }

static ber_slen_t receive(Sockbuf_IO_Desc *layer, void *bytes, ber_len_t count) {
    ber_socket_t socket;
    if (ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &socket) != 1) return -1;
    while (1) {
        ssize_t received = recv(socket, bytes, count, MSG_DONTWAIT);
        if (received >= 0) return received;
        if (errno != EAGAIN && errno != EINTR) return -1;
        if (!wait_until_ready(layer->sbiod_pvt, socket, POLLIN)) return -1;
    }
}

static ber_slen_t transmit(Sockbuf_IO_Desc *layer, void *bytes, ber_len_t count) {
    ber_socket_t socket;
    if (ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &socket) != 1) return -1;
    while (1) {
        ssize_t sent = send(socket, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno != EAGAIN && errno != EINTR) return -1;
        if (!wait_until_ready(layer->sbiod_pvt, socket, POLLOUT)) return -1;
    }
}

/// The library's own limits end at TLS: the handshake with a server that says nothing keeps a processor busy for ever (2.5 with GnuTLS). So
/// there is a layer right above the socket that waits for it, and gives up in time.
static Sockbuf_IO waiting = {set_up, take_down, control, receive, transmit, take_down};

/// Connects to an address. Negative, with the reason in errno, if that cannot be done in time.
static int connect_in_time(const struct carom_ldap *ldap, const struct sockaddr *address, socklen_t length) {
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int error = 0;
    socklen_t size = sizeof error;
    if (connect(descriptor, address, length) == 0) return descriptor;
    if (errno != EINPROGRESS) error = errno;
    while (!error) {
        if (!wait_until_ready(ldap, descriptor, POLLOUT)) {
            error = errno;
        } else if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
            error = errno;
        } else if (!error) {
            struct sockaddr_storage peer;
            socklen_t there = sizeof peer;
            // Whoever was woken too early has no peer yet.
            if (getpeername(descriptor, (struct sockaddr *)&peer, &there) == 0) return descriptor;
        }
    }
    close(descriptor);
    errno = error;
    return -1;
}

// MARK: Steps

static enum carom_ldap_outcome failed(struct carom_ldap *ldap, const char *step, int code, const char *words) {
    char *own = NULL;
    // What the library has to say beside the code, such as what is wrong with a certificate.
    if (!words && ldap->connection) ldap_get_option(ldap->connection, LDAP_OPT_DIAGNOSTIC_MESSAGE, &own);
    // All that it says of a certificate that is not good.
    int is_vague = own && strcmp(own, "(unknown error code)") == 0;
    const char *more = words      ? words
                       : is_vague ? "perhaps a certificate that is over, or another server's, or that nobody vouches for"
                       : own      ? own
                                  : "";
    snprintf(ldap->reason, sizeof ldap->reason, "%s: %s%s%s", step, ldap_err2string(code), *more ? ": " : "", more);
    ldap_memfree(own);
    switch (code) {
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INSUFFICIENT_ACCESS:
    // By these two, servers say that an entry is locked or its password over.
    case LDAP_CONSTRAINT_VIOLATION:
    case LDAP_UNWILLING_TO_PERFORM: return CAROM_LDAP_REFUSED;
    case LDAP_SERVER_DOWN:
    case LDAP_TIMEOUT: return CAROM_LDAP_SILENT;
    // Everything else is about the server or the pooler, not about who wants to come in.
    default: return CAROM_LDAP_UNAVAILABLE;
    }
}

/// Where nobody has said yet who wants to come in.
static enum carom_ldap_outcome not_about_the_user(enum carom_ldap_outcome outcome) {
    return outcome == CAROM_LDAP_REFUSED ? CAROM_LDAP_UNAVAILABLE : outcome;
}

/// Has the next step take no longer than what is left. False if nothing is.
static int may_go_on(struct carom_ldap *ldap, const char *step) {
    if (!ldap->connection) return 0;
    struct timeval time = left(ldap);
    ldap_set_option(ldap->connection, LDAP_OPT_NETWORK_TIMEOUT, &time);
    ldap_set_option(ldap->connection, LDAP_OPT_TIMEOUT, &time);
    if (is_over(time)) failed(ldap, step, LDAP_TIMEOUT, "");
    return !is_over(time);
}

/// Waits for the next message of the answer to a request. LDAP_SUCCESS if there is one, whatever it says.
static int wait_for(struct carom_ldap *ldap, int request, LDAPMessage **message) {
    struct timeval time = left(ldap);
    int code = is_over(time) ? 0 : ldap_result(ldap->connection, request, LDAP_MSG_ONE, &time, message);
    if (code > 0) return LDAP_SUCCESS;
    if (code == 0) {
        ldap_abandon_ext(ldap->connection, request, NULL, NULL);
        return LDAP_TIMEOUT;
    }
    ldap_get_option(ldap->connection, LDAP_OPT_RESULT_CODE, &code);
    return code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code;
}

/// Certificates are read anew for each connection, so that those of today count. The library would use what it has read at first; what is
/// made anew knows nothing of its configuration by itself.
static int prepare_tls(struct carom_ldap *ldap) {
    static const int texts[] = {LDAP_OPT_X_TLS_CACERTFILE, LDAP_OPT_X_TLS_CACERTDIR, LDAP_OPT_X_TLS_CERTFILE,
                                LDAP_OPT_X_TLS_KEYFILE,    LDAP_OPT_X_TLS_CRLFILE,   LDAP_OPT_X_TLS_CIPHER_SUITE};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = NULL;
        if (ldap_get_option(NULL, texts[i], &text) == LDAP_SUCCESS && text)
            ldap_set_option(ldap->connection, texts[i], text);
        ldap_memfree(text);
    }
    int client = 0, version = 0;
    if (ldap_get_option(NULL, LDAP_OPT_X_TLS_PROTOCOL_MIN, &version) == LDAP_SUCCESS && version)
        ldap_set_option(ldap->connection, LDAP_OPT_X_TLS_PROTOCOL_MIN, &version);
    return ldap_set_option(ldap->connection, LDAP_OPT_X_TLS_NEWCTX, &client);
}

struct carom_ldap *carom_ldap_open(int milliseconds) {
    pthread_once(&once, prepare);
    struct carom_ldap *ldap = calloc(1, sizeof *ldap);
    if (!ldap) return NULL;
    clock_gettime(CLOCK_MONOTONIC, &ldap->end);
    long nanoseconds = ldap->end.tv_nsec + milliseconds % 1000 * 1000000L;
    ldap->end.tv_sec += milliseconds / 1000 + nanoseconds / 1000000000L;
    ldap->end.tv_nsec = nanoseconds % 1000000000L;
    return ldap;
}

/// The library has no list of servers here and connects to none: it is given a connection to the one that is meant.
enum carom_ldap_outcome carom_ldap_connect(struct carom_ldap *ldap, const char *uri, const struct sockaddr *address,
                                           socklen_t length) {
    int descriptor = connect_in_time(ldap, address, length);
    if (descriptor < 0) {
        snprintf(ldap->reason, sizeof ldap->reason, "connect: %s", strerror(errno));
        return CAROM_LDAP_SILENT;
    }
    int code = ldap_init_fd(descriptor, LDAP_PROTO_TCP, uri, &ldap->connection);
    if (code != LDAP_SUCCESS) {
        ldap->connection = NULL;
        close(descriptor);
        return not_about_the_user(failed(ldap, "connect", code, NULL));
    }
    int version = LDAP_VERSION3;
    Sockbuf *socket = NULL;
    code = ldap_set_option(ldap->connection, LDAP_OPT_PROTOCOL_VERSION, &version);
    // Whoever is named by a server that was not meant is not told the password.
    if (code == LDAP_SUCCESS) code = ldap_set_option(ldap->connection, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (code == LDAP_SUCCESS) code = ldap_get_option(ldap->connection, LDAP_OPT_SOCKBUF, &socket);
    // No answer that is of use is longer; others would fill the memory.
    ber_len_t longest = 1 << 20;
    if (code == LDAP_SUCCESS && ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &longest) != 1) code = LDAP_LOCAL_ERROR;
    if (code == LDAP_SUCCESS && ber_sockbuf_add_io(socket, &waiting, LBER_SBIOD_LEVEL_PROVIDER + 1, ldap) != 0)
        code = LDAP_LOCAL_ERROR;
    if (code == LDAP_SUCCESS && strncmp(uri, "ldaps:", 6) == 0) {
        if (!may_go_on(ldap, "TLS")) return CAROM_LDAP_SILENT;
        code = prepare_tls(ldap);
        if (code == LDAP_SUCCESS) code = ldap_install_tls(ldap->connection);
    }
    if (code == LDAP_SUCCESS) return CAROM_LDAP_DONE;
    return not_about_the_user(failed(ldap, "TLS", code, NULL));
}

enum carom_ldap_outcome carom_ldap_start_tls(struct carom_ldap *ldap) {
    if (!may_go_on(ldap, "StartTLS")) return CAROM_LDAP_SILENT;
    int code = prepare_tls(ldap);
    if (code == LDAP_SUCCESS) code = ldap_start_tls_s(ldap->connection, NULL, NULL);
    if (code == LDAP_SUCCESS) return CAROM_LDAP_DONE;
    return not_about_the_user(failed(ldap, "StartTLS", code, NULL));
}

enum carom_ldap_outcome carom_ldap_bind(struct carom_ldap *ldap, const char *name, const char *password) {
    char step[256];
    if (!name) name = ldap->name ? ldap->name : "";
    snprintf(step, sizeof step, "bind as \"%s\"", name);
    // Servers say yes to both, and have checked nothing (RFC 4513, 5.1.2).
    if (!*name || !*password) return failed(ldap, step, LDAP_INAPPROPRIATE_AUTH, "a name and a password are needed");
    if (!may_go_on(ldap, step)) return CAROM_LDAP_SILENT;
    struct berval secret = {strlen(password), (char *)password};
    int request, result = LDAP_OTHER;
    int code = ldap_sasl_bind(ldap->connection, name, LDAP_SASL_SIMPLE, &secret, NULL, NULL, &request);
    LDAPMessage *answer = NULL;
    if (code == LDAP_SUCCESS) code = wait_for(ldap, request, &answer);
    if (code == LDAP_SUCCESS && ldap_msgtype(answer) != LDAP_RES_BIND) code = LDAP_PROTOCOL_ERROR;
    char *words = NULL;
    if (code == LDAP_SUCCESS) code = ldap_parse_result(ldap->connection, answer, &result, NULL, &words, NULL, NULL, 0);
    ldap_msgfree(answer);
    if (code == LDAP_SUCCESS && result == LDAP_SUCCESS) {
        ldap_memfree(words);
        return CAROM_LDAP_DONE;
    }
    enum carom_ldap_outcome outcome =
        code == LDAP_SUCCESS ? failed(ldap, step, result, words ? words : "") : failed(ldap, step, code, NULL);
    ldap_memfree(words);
    return outcome;
}

enum carom_ldap_outcome carom_ldap_find(struct carom_ldap *ldap, const char *base, int scope, const char *filter) {
    char step[256];
    snprintf(step, sizeof step, "search for %s", filter);
    if (!may_go_on(ldap, step)) return CAROM_LDAP_SILENT;
    char *attributes[] = {LDAP_NO_ATTRS, NULL};
    // A server takes it in seconds. That there is more than one entry is known by two.
    struct timeval time = {left(ldap).tv_sec + 1, 0};
    int request, result = LDAP_OTHER, entries = 0;
    int code = ldap_search_ext(ldap->connection, base, scope, filter, attributes, 0, NULL, NULL, &time, 2, &request);
    char *words = NULL;
    // One message after the other is let go of: how many there are is the server's choice.
    for (int has_ended = 0; code == LDAP_SUCCESS && entries < 2 && !has_ended;) {
        LDAPMessage *message = NULL;
        code = wait_for(ldap, request, &message);
        if (code != LDAP_SUCCESS) break;
        switch (ldap_msgtype(message)) {
        case LDAP_RES_SEARCH_ENTRY:
            if (entries++ == 0) ldap->name = ldap_get_dn(ldap->connection, message);
            break;
        case LDAP_RES_SEARCH_REFERENCE: break;
        case LDAP_RES_SEARCH_RESULT:
            code = ldap_parse_result(ldap->connection, message, &result, NULL, &words, NULL, NULL, 0);
            has_ended = 1;
            break;
        default: code = LDAP_PROTOCOL_ERROR;
        }
        ldap_msgfree(message);
    }
    if (entries > 1) ldap_abandon_ext(ldap->connection, request, NULL, NULL);
    enum carom_ldap_outcome outcome;
    if (code != LDAP_SUCCESS) {
        outcome = not_about_the_user(failed(ldap, step, code, NULL));
    } else if (entries == 1 && result == LDAP_SUCCESS) {
        outcome = CAROM_LDAP_DONE;
    } else if (entries > 1 || result == LDAP_SUCCESS || result == LDAP_SIZELIMIT_EXCEEDED) {
        const char *found = entries > 1 || result == LDAP_SIZELIMIT_EXCEEDED ? "more than one entry" : "no entry";
        snprintf(ldap->reason, sizeof ldap->reason, "%s: %s", step, found);
        outcome = CAROM_LDAP_REFUSED;
    } else {
        outcome = not_about_the_user(failed(ldap, step, result, words ? words : ""));
    }
    ldap_memfree(words);
    return outcome;
}

const char *carom_ldap_reason(const struct carom_ldap *ldap) { return ldap->reason; }

void carom_ldap_close(struct carom_ldap *ldap) {
    if (ldap->connection) ldap_unbind_ext_s(ldap->connection, NULL, NULL);
    ldap_memfree(ldap->name);
    free(ldap);
}

char *carom_ldap_discover(const char *base) {
    pthread_once(&once, prepare);
    char *domain = NULL, *hosts = NULL, *copy = NULL;
    if (ldap_dn2domain(base, &domain) == 0 && domain && *domain && ldap_domain2hostlist(domain, &hosts) == 0 && hosts)
        copy = strdup(hosts);
    ldap_memfree(domain);
    ldap_memfree(hosts);
    return copy;
}
#endif
