// SPDX-License-Identifier: Apache-2.0
#include "net/curl_transfer.h"

#include <openssl/x509_vfy.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/failpoint.h"

namespace brickgate {

namespace {

constexpr char const* user_agent = "brickgate/" BRICKGATE_VERSION;

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
    curl_easy_setopt(easy, option, value);
}

bool is_header_text(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::string_view trimmed(std::string_view text) {
    auto const first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

unsigned port_of(sockaddr const* address) {
    if (address->sa_family == AF_INET) {
        return ntohs(reinterpret_cast<sockaddr_in const*>(address)->sin_port);
    }
    return ntohs(reinterpret_cast<sockaddr_in6 const*>(address)->sin6_port);
}

struct Curlu {
    CURLU* handle = curl_url();
    ~Curlu() { curl_url_cleanup(handle); }
    std::string part(CURLUPart what, unsigned flags = 0) const {
        char* text = nullptr;
        if (curl_url_get(handle, what, &text, flags) != CURLUE_OK) {
            return {};
        }
        std::string out(text);
        curl_free(text);
        return out;
    }
};

}  // namespace

bool SecretBuffer::append(std::string_view piece, std::size_t size_max) {
    if (piece.size() > size_max - size_) {
        return false;
    }
    if (size_ + piece.size() > block_.size()) {
        std::size_t const wanted =
            std::max({size_ + piece.size(), block_.size() * 2, std::size_t{4096}});
        Secret bigger = Secret::zeros(std::min(wanted, size_max));
        block_.expose([&](std::string_view old) {
            bigger.write([&](std::span<char> to) { std::copy_n(old.begin(), size_, to.begin()); });
        });
        block_ = std::move(bigger);
    }
    block_.write([&](std::span<char> to) {
        std::ranges::copy(piece, to.begin() + static_cast<std::ptrdiff_t>(size_));
    });
    size_ += piece.size();
    return true;
}

Secret SecretBuffer::take() {
    return block_.expose(
        [&](std::string_view all) { return Secret::copy_of(all.substr(0, size_)); });
}

std::optional<Target> Target::of(std::string const& url) {
    // libcurl forgives one slash and three; a reader of the log would see another host than it
    // does.
    auto const host_at = url.find("://");
    if (host_at == std::string::npos || url.substr(host_at + 3).starts_with('/')) {
        return std::nullopt;
    }
    Curlu parsed;
    if (curl_url_set(parsed.handle, CURLUPART_URL, url.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK) {
        return std::nullopt;
    }
    Target target;
    target.scheme = parsed.part(CURLUPART_SCHEME);
    target.host = parsed.part(CURLUPART_HOST);
    target.key = target.host + ":" + parsed.part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (target.host.starts_with('[') && target.host.ends_with(']')) {
        target.host = target.host.substr(1, target.host.size() - 2);
    }
    bool const with_user =
        !parsed.part(CURLUPART_USER).empty() || !parsed.part(CURLUPART_PASSWORD).empty();
    if (with_user || target.host.empty()) {
        return std::nullopt;
    }
    return target;
}

Transfer::Transfer(HttpRequest request, HttpLimits limits, Completion<HttpAnswer> done,
                   CurlOptions const& options, Clock const& clock)
    : request_(std::move(request)),
      limits_(std::move(limits)),
      done_(std::move(done)),
      options_(options),
      clock_(clock),
      ends_at_(clock.steady() + limits_.total) {
    if (auto target = Target::of(request_.url)) {
        target_ = std::move(*target);
    }
}

Transfer::~Transfer() {
    curl_easy_cleanup(easy_);
    for (curl_slist* item = header_list_; item != nullptr; item = item->next) {
        explicit_bzero(item->data, strlen(item->data));  // one of them is Authorization
    }
    curl_slist_free_all(header_list_);
}

std::expected<CURL*, Error> Transfer::start() {
    bool const plain = target_.scheme == "http" && limits_.egress.operator_listed;
    if (target_.host.empty() || (target_.scheme != "https" && !plain)) {
        return fail(ErrorCode::egress_denied, "Only https addresses are called.");
    }
    for (auto const& [name, value] : request_.headers) {
        if (!is_header_text(name) || !is_header_text(value)) {
            return fail(ErrorCode::invalid_request, "A header of the request is malformed.");
        }
    }
    if (!request_.authorization.expose(is_header_text)) {
        return fail(ErrorCode::invalid_request, "The credentials do not fit into a header.");
    }
    easy_ = curl_easy_init();
    if (easy_ == nullptr) {
        return fail(ErrorCode::internal, "libcurl has no handle for the request.");
    }
    set_request();
    set_guards();
    set_tls();
    return easy_;
}

void Transfer::set_request() {
    set(easy_, CURLOPT_PRIVATE, this);
    set(easy_, CURLOPT_URL, request_.url.c_str());
    set(easy_, CURLOPT_PATH_AS_IS, 1L);
    bool const has_body = !request_.body.empty() || request_.method == "POST";
    if (has_body) {
        set(easy_, CURLOPT_POST, 1L);
        // libcurl reads our memory and copies nothing; request_ outlives the handle.
        request_.body.expose([&](std::string_view body) {
            set(easy_, CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
            set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        });
    } else if (request_.method == "HEAD") {
        set(easy_, CURLOPT_NOBODY, 1L);
    }
    if (request_.method != "HEAD") {
        set(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    auto const add = [&](std::string line) {
        header_list_ = curl_slist_append(header_list_, line.c_str());
        wipe(line);
    };
    for (auto const& [name, value] : request_.headers) {
        add(name + (value.empty() ? ";" : ": " + value));
    }
    if (!request_.authorization.empty()) {
        request_.authorization.expose(
            [&](std::string_view value) { add("Authorization: " + std::string(value)); });
    }
    if (!request_.headers.get("content-type")) {
        add("Content-Type:");  // else libcurl calls every body a form
    }
    add("Expect:");  // no 100-continue: it splits the request in two (T32)
    add("Accept-Encoding: identity");
    set(easy_, CURLOPT_HTTPHEADER, header_list_);
    set(easy_, CURLOPT_USERAGENT, user_agent);
}

void Transfer::set_guards() {
    set(easy_, CURLOPT_NOSIGNAL, 1L);
    set(easy_, CURLOPT_ERRORBUFFER, message_.data());
    // Else a name server that hangs would hold the whole curl thread when its request is given up
    // (T36).
    set(easy_, CURLOPT_QUICK_EXIT, 1L);
    set(easy_, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    set(easy_, CURLOPT_PROTOCOLS_STR, limits_.egress.operator_listed ? "https,http" : "https");
    set(easy_, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_NONE));
    bool const direct = options_.proxy.empty() || limits_.egress.operator_listed;
    set(easy_, CURLOPT_PROXY, direct ? "" : options_.proxy.c_str());
    set(easy_, CURLOPT_NOPROXY, "");
    set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy_, CURLOPT_FRESH_CONNECT, limits_.fresh_connection ? 1L : 0L);
    set(easy_, CURLOPT_FORBID_REUSE, limits_.fresh_connection ? 1L : 0L);
    set(easy_, CURLOPT_MAXAGE_CONN, 30L);
    auto const left = std::max(ends_at_ - clock_.steady(), Milliseconds(1));
    set(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
    set(easy_, CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(std::min(left, limits_.connect).count()));
    set(easy_, CURLOPT_OPENSOCKETFUNCTION, &Transfer::open_socket);
    set(easy_, CURLOPT_OPENSOCKETDATA, this);
    set(easy_, CURLOPT_PREREQFUNCTION, &Transfer::before_request);
    set(easy_, CURLOPT_PREREQDATA, this);
    set(easy_, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(easy_, CURLOPT_HEADERDATA, this);
    set(easy_, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(easy_, CURLOPT_WRITEDATA, this);
}

void Transfer::set_tls() {
    set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
    set(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
    // The bundle alone: with a folder of certificates beside it libcurl parses everything at each
    // handshake.
    set(easy_, CURLOPT_CAPATH, nullptr);
    set(easy_, CURLOPT_SSL_CTX_FUNCTION, &Transfer::on_ssl_context);
    set(easy_, CURLOPT_SSL_CTX_DATA, this);
}

bool Transfer::allows(IpAddress const& address, unsigned port) const {
    bool const through_proxy = !options_.proxy.empty() && !limits_.egress.operator_listed;
    if (through_proxy) {
        return true;  // the operator's own proxy, which then decides
    }
    std::string const host =
        address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
    std::string const endpoint = host + ":" + std::to_string(port);
    if (std::ranges::find(options_.own_endpoints, endpoint) != options_.own_endpoints.end()) {
        return false;
    }
    if (target_.scheme == "http" && !address.is_loopback()) {
        return false;
    }
    return may_connect(address, limits_.egress);
}

curl_socket_t Transfer::open_socket(void* data, curlsocktype, curl_sockaddr* address) {
    auto& self = *static_cast<Transfer*>(data);
    auto const ip = IpAddress::from(&address->addr);
    if (!ip || !self.allows(*ip, port_of(&address->addr))) {
        self.egress_refused_ = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// After TCP and TLS, before the first byte of the request; also on a connection that is used again.
int Transfer::before_request(void* data, char* remote, char*, int remote_port, int) {
    auto& self = *static_cast<Transfer*>(data);
    auto const ip = IpAddress::parse(remote);
    if (!ip || !self.allows(*ip, static_cast<unsigned>(remote_port))) {
        self.egress_refused_ = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (self.limits_.not_after && self.clock_.steady() > *self.limits_.not_after) {
        self.too_late_ = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (self.limits_.not_after) {
        failpoint("K3");  // a refresh: connected, and nothing sent yet
    }
    self.may_be_sent_ = true;
    return CURL_PREREQFUNC_OK;
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
    std::string_view const line(data, size * count);
    return static_cast<Transfer*>(self)->take_header(line) ? line.size() : 0;
}

bool Transfer::take_header(std::string_view line) {
    header_bytes_ += line.size();
    header_lines_ += 1;
    if (header_bytes_ > limits_.header_bytes_max || header_lines_ > limits_.header_count_max + 2) {
        too_large_ = true;
        return false;
    }
    if (line.starts_with("HTTP/") && !headers_done_) {
        response_.headers = HeaderMap();  // what came before was an interim answer
        return true;
    }
    std::string_view const text = trimmed(line);
    if (text.empty() || headers_done_) {  // the end of the header, or a trailer
        long status = 0;
        curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
        headers_done_ = headers_done_ || status >= 200;
        return true;
    }
    auto const colon = text.find(':');
    if (colon == std::string_view::npos) {
        malformed_ = true;
        return false;
    }
    std::string_view const name = text.substr(0, colon);
    std::string_view const value = trimmed(text.substr(colon + 1));
    // Nothing was offered, so anything coded is a server that does not listen, or a bomb (T34).
    bool const coded =
        equals_ignoring_case(name, "content-encoding") && !equals_ignoring_case(value, "identity");
    bool const framed =
        equals_ignoring_case(name, "transfer-encoding") && !equals_ignoring_case(value, "chunked");
    if (coded || framed) {
        malformed_ = true;
        return false;
    }
    response_.headers.add(std::string(name), std::string(value));
    return true;
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* data_self) {
    auto& self = *static_cast<Transfer*>(data_self);
    std::string_view const piece(data, size * count);
    if (!self.body_.append(piece, self.limits_.body_bytes_max)) {
        self.too_large_ = true;
        return 0;
    }
    return piece.size();
}

CURLcode Transfer::on_ssl_context(CURL*, void* context, void* self) {
    bool const hard = static_cast<Transfer*>(self)->harden(static_cast<SSL_CTX*>(context));
    return hard ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

// libcurl falls back to the subject's common name where there is no alternative name; OpenSSL, told
// the host itself, does not, and refuses in the handshake (T33).
bool Transfer::harden(SSL_CTX* context) const {
    X509_VERIFY_PARAM* const params = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(
        params, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool const named = IpAddress::parse(target_.host)
                           ? X509_VERIFY_PARAM_set1_ip_asc(params, target_.host.c_str()) == 1
                           : X509_VERIFY_PARAM_set1_host(params, target_.host.c_str(), 0) == 1;
    bool const trusted =
        options_.ca_file.empty() ||
        X509_STORE_load_file(SSL_CTX_get_cert_store(context), options_.ca_file.c_str()) == 1;
    return named && trusted;
}

}  // namespace brickgate
