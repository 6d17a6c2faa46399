// What Swift cannot import from OpenSSL's headers: function-like macros and constants spelled through them.
#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const uint64_t carom_SSL_OP_NO_RENEGOTIATION = SSL_OP_NO_RENEGOTIATION;
static const uint64_t carom_SSL_OP_NO_COMPRESSION = SSL_OP_NO_COMPRESSION;
static const uint64_t carom_SSL_OP_NO_TICKET = SSL_OP_NO_TICKET;
static const uint64_t carom_SSL_OP_CIPHER_SERVER_PREFERENCE = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t carom_SSL_OP_IGNORE_UNEXPECTED_EOF = SSL_OP_IGNORE_UNEXPECTED_EOF;
static const uint64_t carom_SSL_OP_NO_TLSv1_1 = SSL_OP_NO_TLSv1_1;
static const uint64_t carom_SSL_OP_NO_TLSv1_2 = SSL_OP_NO_TLSv1_2;

static inline int carom_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int carom_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline void carom_SSL_CTX_set_mode(SSL_CTX *context, long mode) {
    (void)SSL_CTX_set_mode(context, mode);
}

static inline void carom_SSL_CTX_set_max_send_fragment(SSL_CTX *context, long size) {
    (void)SSL_CTX_set_max_send_fragment(context, size);
}

static inline void carom_SSL_CTX_set_read_ahead(SSL_CTX *context, int on) {
    (void)SSL_CTX_set_read_ahead(context, on);
}

static inline void carom_SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
    (void)SSL_CTX_set_session_cache_mode(context, mode);
}

static inline int carom_SSL_CTX_set1_groups_list(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_groups_list(context, (char *)list);
}

static inline int carom_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, (char *)name);
}

static inline void carom_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void carom_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void carom_BIO_set_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
