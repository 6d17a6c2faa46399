// Passwords checked by the PAM of the system, under the trait `PAM`; without it nothing is linked and nothing is asked.
#pragma once
#include <stddef.h>

/// What a check came to.
enum carom_pam_verdict {
    /// The password is right, and the account may be used.
    CAROM_PAM_ACCEPTED,
    /// It is not, or may not.
    CAROM_PAM_REFUSED,
    /// Nothing could be asked.
    CAROM_PAM_UNAVAILABLE,
};

/// Has a service check a user's password, and whether the account may be used. It may take as long as its modules like.
///
/// There is none without the trait. `host` is where the client comes from, or null. `reason` gets why it was refused, for the log.
enum carom_pam_verdict carom_pam_check(const char *service, const char *user, const char *password, const char *host,
                                       char *reason, size_t size);
