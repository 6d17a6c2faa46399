// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#include "CCaromPAM.h"

#ifdef CAROM_PAM
#if !__has_include(<security/pam_appl.h>)
#error "the trait PAM needs <security/pam_appl.h>: install libpam0g-dev"
#endif
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// What the modules are told.
struct talk {
    const char *password;
    /// The password was asked for: whoever asks again wants something else, which nobody here has.
    int asked;
};

static void forget(struct pam_response *answers, int count) {
    for (int i = 0; i < count; i++) {
        if (answers[i].resp) {
            explicit_bzero(answers[i].resp, strlen(answers[i].resp));
            free(answers[i].resp);
        }
    }
    free(answers);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **given, void *context) {
    struct talk *talk = context;
    if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
    struct pam_response *answers = calloc((size_t)count, sizeof *answers);
    if (!answers) return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        switch (messages[i]->msg_style) {
        case PAM_TEXT_INFO:
        case PAM_ERROR_MSG: continue;
        case PAM_PROMPT_ECHO_OFF:
            if (talk->asked++) break;
            answers[i].resp = strdup(talk->password);
            if (answers[i].resp) continue;
            break;
        default: break;
        }
        forget(answers, count);
        return PAM_CONV_ERR;
    }
    *given = answers;
    return PAM_SUCCESS;
}

/// Modules would have the thread sleep after a failure, and with it whoever waits behind. Failures are slowed down elsewhere.
static void do_not_sleep(int result, unsigned int microseconds, void *context) {
    (void)result;
    (void)microseconds;
    (void)context;
}

enum carom_pam_verdict carom_pam_check(const char *service, const char *user, const char *password, const char *host,
                                       char *reason, size_t size) {
    struct talk talk = {password, 0};
    struct pam_conv conversation = {converse, &talk};
    pam_handle_t *handle = NULL;
    int result = pam_start(service, user, &conversation, &handle);
    if (result != PAM_SUCCESS) {
        snprintf(reason, size, "pam_start: error %d", result);
        return CAROM_PAM_UNAVAILABLE;
    }
    const char *step = "pam_set_item";
    if (host) result = pam_set_item(handle, PAM_RHOST, host);
    if (result == PAM_SUCCESS) {
        void (*delay)(int, unsigned int, void *) = do_not_sleep;
        result = pam_set_item(handle, PAM_FAIL_DELAY, *(const void **)&delay);
    }
    int prepared = result == PAM_SUCCESS;
    if (result == PAM_SUCCESS) {
        step = "pam_authenticate";
        result = pam_authenticate(handle, PAM_SILENT);
    }
    if (result == PAM_SUCCESS) {
        step = "pam_acct_mgmt";
        result = pam_acct_mgmt(handle, PAM_SILENT);
    }
    if (result != PAM_SUCCESS) snprintf(reason, size, "%s: %s", step, pam_strerror(handle, result));
    pam_end(handle, result);
    if (result == PAM_SUCCESS) return CAROM_PAM_ACCEPTED;
    return prepared ? CAROM_PAM_REFUSED : CAROM_PAM_UNAVAILABLE;
}
#endif
