// SPDX-License-Identifier: Apache-2.0
#pragma once
// The certificate that listeners show, from PEM files: read at start, read again on SIGHUP. A pair
// that cannot be used is refused, and what was there goes on being shown. load() on one thread at a
// time; current() from any.
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

using SSL_CTX = struct ssl_ctx_st;

namespace brickgate {

class TlsFiles {
 public:
    TlsFiles(std::string cert_file, std::string key_file)
        : cert_file_(std::move(cert_file)), key_file_(std::move(key_file)) {}
    // Errors: config_invalid, which names the file.
    Result<void> load();
    std::shared_ptr<SSL_CTX> current() const;

 private:
    std::string cert_file_;
    std::string key_file_;
    mutable std::mutex mutex_;
    std::shared_ptr<SSL_CTX> context_;
};

}  // namespace brickgate
