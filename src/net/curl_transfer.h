// SPDX-License-Identifier: Apache-2.0
#pragma once
// One outbound request on a libcurl handle: its options (T28 to T34), its callbacks, and what its
// end means. Belongs to the curl thread from start() on. Inside net/ only.
#include <curl/curl.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/bridge.h"
#include "net/curl_client.h"
#include "net/http_client.h"

namespace brickgate {

// A response body as it grows: every block it leaves behind is wiped.
class SecretBuffer {
 public:
    // False: it would be larger than `size_max`.
    bool append(std::string_view piece, std::size_t size_max);
    Secret take();

 private:
    Secret block_;
    std::size_t size_ = 0;
};

// What libcurl takes from the URL, so that checks and connection see the same host.
struct Target {
    std::string scheme;
    std::string host;  // without brackets
    std::string key;   // host:port
    static std::optional<Target> of(std::string const& url);
};

class Transfer {
 public:
    Transfer(HttpRequest request, HttpLimits limits, Completion<HttpAnswer> done,
             CurlOptions const& options, Clock const& clock);
    ~Transfer();
    Transfer(Transfer const&) = delete;
    Transfer& operator=(Transfer const&) = delete;

    std::string const& host_key() const { return target_.key; }
    bool is_overdue() const { return clock_.steady() >= ends_at_; }
    // The handle to add to the multi; an error where the request is not one we send.
    std::expected<CURL*, Error> start();
    void finish(CURLcode code);
    void fail_unsent(Error error);
    void abort(Error error);

 private:
    void set_request();
    void set_guards();
    void set_tls();
    bool allows(IpAddress const& address, unsigned port) const;
    void answer(HttpAnswer result);
    TransportError failure(CURLcode code) const;

    static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
    static int before_request(void* self, char* remote, char* local, int remote_port,
                              int local_port);
    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
    static CURLcode on_ssl_context(CURL* easy, void* context, void* self);
    bool take_header(std::string_view line);
    bool harden(SSL_CTX* context) const;

    HttpRequest request_;
    HttpLimits limits_;
    Completion<HttpAnswer> done_;
    CurlOptions const& options_;
    Clock const& clock_;
    Instant ends_at_;
    Target target_;
    CURL* easy_ = nullptr;
    curl_slist* header_list_ = nullptr;
    std::array<char, CURL_ERROR_SIZE> message_{};
    HttpResponse response_;
    SecretBuffer body_;
    std::size_t header_bytes_ = 0;
    std::size_t header_lines_ = 0;
    bool headers_done_ = false;
    bool may_be_sent_ = false;  // the last check before the first byte was passed
    bool egress_refused_ = false;
    bool too_late_ = false;
    bool too_large_ = false;
    bool malformed_ = false;
};

}  // namespace brickgate
