// SPDX-License-Identifier: Apache-2.0
#include "net/tls_files.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace brickgate {

namespace {

// Only HTTP/1.1 is spoken here; a client that offers nothing gets nothing chosen.
int choose_protocol(SSL*, unsigned char const** out, unsigned char* out_size,
                    unsigned char const* offered, unsigned offered_size, void*) {
    static constexpr unsigned char ours[] = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    int const found =
        SSL_select_next_proto(&chosen, out_size, ours, sizeof(ours) - 1, offered, offered_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Error unusable(std::string const& what) {
    ERR_clear_error();
    return {ErrorCode::config_invalid, what};
}

}  // namespace

Result<void> TlsFiles::load() {
    std::shared_ptr<SSL_CTX> const fresh(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    SSL_CTX* const context = fresh.get();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(context, cert_file_.c_str()) != 1) {
        return fail(unusable("The certificate file " + cert_file_ + " cannot be read."));
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_file_.c_str(), SSL_FILETYPE_PEM) != 1) {
        return fail(unusable("The key file " + key_file_ +
                             " cannot be read, or is not the key of the certificate."));
    }
    if (SSL_CTX_check_private_key(context) != 1) {
        return fail(unusable("The key in " + key_file_ + " is not that of the certificate."));
    }
    std::scoped_lock const lock(mutex_);
    context_ = fresh;
    return {};
}

std::shared_ptr<SSL_CTX> TlsFiles::current() const {
    std::scoped_lock const lock(mutex_);
    return context_;
}

}  // namespace brickgate
