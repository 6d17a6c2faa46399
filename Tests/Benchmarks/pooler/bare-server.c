// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0
//
// bare-server ADDRESS PORT CERTIFICATE KEY: shakes hands by TLS, as PostgreSQL's clients ask for it, tells every client the same and
// does nothing else. No server over this OpenSSL can go below what that costs. One client at a time.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char welcome[] = "R\0\0\0\x08\0\0\0\0" "Z\0\0\0\x05I";
static const char answer[] =
    "T\0\0\0\x21\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"
    "D\0\0\0\x0b\0\x01\0\0\0\x01" "1" "C\0\0\0\x0dSELECT 1\0" "Z\0\0\0\x05I";

static SSL_CTX *settings(const char *certificate, const char *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return NULL;
    // As Carom's: one ticket, no cache, whole records at a time.
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bare", 4);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

static void serve(SSL_CTX *context, int client)
{
    char bytes[16384];
    // The request for TLS has eight bytes.
    if (read(client, bytes, 8) != 8 || write(client, "S", 1) != 1)
        return;
    SSL *session = SSL_new(context);
    SSL_set_fd(session, client);
    if (SSL_accept(session) == 1 && SSL_read(session, bytes, sizeof bytes) > 0) {
        SSL_write(session, welcome, sizeof welcome - 1);
        if (SSL_read(session, bytes, sizeof bytes) > 0)
            SSL_write(session, answer, sizeof answer - 1);
        SSL_read(session, bytes, sizeof bytes);
        SSL_shutdown(session);
    }
    SSL_free(session);
}

int main(int count, char **arguments)
{
    if (count != 5) {
        fputs("usage: bare-server ADDRESS PORT CERTIFICATE KEY\n", stderr);
        return 64;
    }
    SSL_CTX *context = settings(arguments[3], arguments[4]);
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[2]))};
    inet_pton(AF_INET, arguments[1], &address.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!context || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
        perror("bare-server");
        return 1;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        serve(context, client);
        close(client);
    }
}
