// Passwords checked by servers of LDAP, under the trait `LDAP`; without it nothing is linked and nothing is asked.
#pragma once
#include <stddef.h>
#include <sys/socket.h>

/// What a step came to.
enum carom_ldap_outcome {
    CAROM_LDAP_DONE,
    /// The server does not want this user, or not with this password.
    CAROM_LDAP_REFUSED,
    /// It cannot be asked that way, or cannot answer.
    CAROM_LDAP_UNAVAILABLE,
    /// It cannot be connected to, says nothing in time, or has closed the connection without a word.
    CAROM_LDAP_SILENT,
};

/// One connection, for one check, on one thread. There is none without the trait.
struct carom_ldap;

/// Gets ready to ask a server. All steps together take so many milliseconds at most. Null only if there is no memory.
struct carom_ldap *carom_ldap_open(int milliseconds);

/// Connects to one address of a server, which the URI names: with TLS at once if that says `ldaps`, and in any case checked by the
/// URI's name. Must be the first step.
enum carom_ldap_outcome carom_ldap_connect(struct carom_ldap *ldap, const char *uri, const struct sockaddr *address,
                                           socklen_t length);

/// Encrypts what follows (StartTLS).
enum carom_ldap_outcome carom_ldap_start_tls(struct carom_ldap *ldap);

/// Binds by a name and a password, neither of which may be empty. Without a name: as the entry that was found.
enum carom_ldap_outcome carom_ldap_bind(struct carom_ldap *ldap, const char *name, const char *password);

/// Looks for the one entry that a filter fits. `scope` is 0 for the base itself, 1 for what is right below, 2 for both and all further
/// down, 3 for all below.
enum carom_ldap_outcome carom_ldap_find(struct carom_ldap *ldap, const char *base, int scope, const char *filter);

/// Why the last step was not done, for the log.
const char *carom_ldap_reason(const struct carom_ldap *ldap);

void carom_ldap_close(struct carom_ldap *ldap);

/// The servers of the domain that a name is of, by their SRV records: `host:port` with blanks between them. Null if there are none;
/// otherwise it is to be freed.
char *carom_ldap_discover(const char *base);
