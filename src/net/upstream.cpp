// SPDX-License-Identifier: Apache-2.0
#include "net/upstream.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <utility>

namespace brickgate {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Acquired = std::expected<UpstreamPool::Connection, TransportError>;

constexpr std::size_t buffers_kept = 64;

asio::ip::tcp::endpoint endpoint_of(IpAddress const& address, std::uint16_t port) {
    return {asio::ip::make_address(address.to_string()), port};
}

std::string bracketed(std::string const& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

std::optional<UpstreamOrigin> UpstreamOrigin::of(std::string_view origin) {
    auto const url = boost::urls::parse_uri({origin.data(), origin.size()});
    if (!url || (url->scheme() != "https" && url->scheme() != "http")) {
        return std::nullopt;
    }
    UpstreamOrigin out;
    out.tls = url->scheme() == "https";
    out.host = std::string(url->host_address());
    out.port = url->has_port() ? url->port_number() : (out.tls ? 443 : 80);
    if (out.host.empty() || out.port == 0) {
        return std::nullopt;
    }
    return out;
}

std::string UpstreamOrigin::authority() const {
    bool const usual = port == (tls ? 443 : 80);
    return bracketed(host) + (usual ? "" : ":" + std::to_string(port));
}

std::string UpstreamOrigin::key() const {
    return (tls ? "s " : "p ") + host + " " + std::to_string(port);
}

Result<std::shared_ptr<UpstreamShared>> UpstreamShared::create(
    std::string const& ca_file, std::string const& proxy, std::vector<std::string> own_endpoints,
    UpstreamLimits limits, Clock const& clock) {
    auto shared = std::make_shared<UpstreamShared>(clock);
    shared->tls = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX* const context = shared->tls.get();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    static constexpr unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1);
    SSL_CTX_set_default_verify_paths(context);
    if (!ca_file.empty() && SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
        return fail(ErrorCode::config_invalid, "The CA file " + ca_file + " cannot be read.");
    }
    if (!proxy.empty()) {
        shared->proxy = UpstreamOrigin::of(proxy);
        if (!shared->proxy || shared->proxy->tls) {
            return fail(ErrorCode::config_invalid, "tls.proxy is written http://host:port.");
        }
    }
    shared->own_endpoints = std::move(own_endpoints);
    shared->limits = limits;
    return shared;
}

UpstreamPool::UpstreamPool(Executor executor, std::shared_ptr<UpstreamShared> shared)
    : executor_(executor), shared_(std::move(shared)), timer_(executor) {}

UpstreamPool::~UpstreamPool() {
    kept_.clear();
}

Task<Acquired> UpstreamPool::acquire(UpstreamOrigin const& origin, bool fresh) {
    auto const found = fresh ? kept_.end() : kept_.find(origin.key());
    while (found != kept_.end() && !found->second.empty()) {
        Connection connection = std::move(found->second.back());  // the one used last is alive
        found->second.pop_back();
        kept_count_ -= 1;
        if (!connection->wire_.has_input()) {
            connection->reused_ = true;
            co_return connection;
        }
    }
    co_return co_await connect(origin);
}

void UpstreamPool::give_back(Connection connection) {
    bool const whole = connection->parser_ && connection->parser_->reusable() &&
                       !connection->has_piece() && connection->begin_ == connection->end_ &&
                       !connection->answered_early_;
    if (!whole || stopping_ || !connection->wire_.is_open()) {
        return;
    }
    auto& shelf = kept_[connection->key_];
    if (shelf.size() >= shared_->limits.kept_per_origin_max) {
        return;
    }
    // An idle connection holds no buffer: there may be thousands.
    connection->wipe_buffer();
    if (buffers_.size() < buffers_kept && !connection->buffer_.empty()) {
        buffers_.push_back(std::move(connection->buffer_));
    }
    connection->buffer_ = {};
    connection->begin_ = connection->end_ = 0;
    connection->parser_.reset();
    connection->idle_since_ = second_;
    shelf.push_back(std::move(connection));
    kept_count_ += 1;
}

Task<Acquired> UpstreamPool::connect(UpstreamOrigin const& origin) {
    std::unique_ptr<UpstreamConnection> connection(new UpstreamConnection(*this, origin.key()));
    connection->expect(shared_->limits.connect);
    bool const through_proxy = shared_->proxy && !origin.egress.operator_listed;
    Result<void> done;
    if (through_proxy) {
        done = co_await dial(*connection, *shared_->proxy);
        if (done) {
            done = co_await tunnel(*connection, origin);
        }
    } else {
        done = co_await dial(*connection, origin);
    }
    if (done && origin.tls) {
        done = co_await secure(*connection, origin);
    }
    if (!done) {
        Error error = connection->timed_out_
                          ? Error(ErrorCode::upstream_timeout, "The workspace cannot be reached.")
                          : done.error();
        co_return std::unexpected(TransportError{std::move(error), Sent::not_sent});
    }
    connection->expect_nothing();
    co_return connection;
}

bool UpstreamPool::may_dial(IpAddress const& address, UpstreamOrigin const& to,
                            bool is_proxy) const {
    if (is_proxy) {
        return true;  // the operator's own proxy, which then decides
    }
    auto const endpoint = bracketed(address.to_string()) + ":" + std::to_string(to.port);
    if (std::ranges::find(shared_->own_endpoints, endpoint) != shared_->own_endpoints.end()) {
        return false;
    }
    bool const plain = !to.tls;
    if (plain && !(address.is_loopback() && to.egress.operator_listed)) {
        return false;
    }
    return may_connect(address, to.egress);
}

Task<Result<void>> UpstreamPool::dial(UpstreamConnection& connection, UpstreamOrigin const& to) {
    auto const addresses = co_await shared_->resolver.resolve(to.host);
    if (!addresses) {
        co_return fail(addresses.error());
    }
    bool const is_proxy = shared_->proxy && &to == &*shared_->proxy;
    Error last(ErrorCode::egress_denied, "The workspace's address is not one we connect to.");
    for (IpAddress const& address : *addresses) {
        if (!may_dial(address, to, is_proxy)) {
            continue;
        }
        asio::generic::stream_protocol::endpoint const endpoint(endpoint_of(address, to.port));
        StreamSocket socket(executor_);
        connection.wire_ = Wire(std::move(socket));
        error_code ec;
        co_await connection.wire_.socket().async_connect(endpoint,
                                                         asio::redirect_error(use_task, ec));
        if (!ec) {
            connection.wire_.socket().non_blocking(true, ec);
            connection.wire_.socket().set_option(asio::ip::tcp::no_delay(true), ec);
            co_return Result<void>{};
        }
        if (ec == asio::error::no_descriptors) {
            kept_.clear();  // what is idle makes room for the next attempt
            kept_count_ = 0;
        }
        last = Error(ErrorCode::upstream_unreachable, "The workspace cannot be reached.");
        if (connection.timed_out_) {
            break;
        }
    }
    co_return fail(std::move(last));
}

// CONNECT through the operator's proxy (RFC 9110 section 9.3.6).
Task<Result<void>> UpstreamPool::tunnel(UpstreamConnection& connection, UpstreamOrigin const& to) {
    std::string const target = bracketed(to.host) + ":" + std::to_string(to.port);
    std::string const head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
    auto const sent = co_await connection.send(head, "");
    if (!sent) {
        co_return fail(sent.error().error);
    }
    connection.expect(shared_->limits.connect);
    auto const answer = co_await connection.receive_head(true);
    bool const open = answer && (*answer)->status >= 200 && (*answer)->status < 300;
    if (!open || connection.begin_ != connection.end_) {
        co_return fail(ErrorCode::upstream_unreachable, "The proxy opens no way to the workspace.");
    }
    connection.parser_.reset();
    connection.expect(shared_->limits.connect);
    co_return Result<void>{};
}

Task<Result<void>> UpstreamPool::secure(UpstreamConnection& connection, UpstreamOrigin const& to) {
    if (!connection.wire_.connect_tls(shared_->tls.get(), to.host)) {
        co_return fail(ErrorCode::internal, "TLS cannot be set up.");
    }
    auto const ec = co_await connection.wire_.handshake();
    if (ec) {
        Error error(ErrorCode::tls_failed, "The workspace's certificate is not accepted.");
        co_return fail(std::move(error).with_detail(connection.wire_.certificate_fault()));
    }
    co_return Result<void>{};
}

Task<void> UpstreamPool::sweep() {
    error_code ec;
    while (!stopping_) {
        timer_.expires_after(std::chrono::seconds(1));
        co_await timer_.async_wait(asio::redirect_error(use_task, ec));
        second_ += 1;
        for (UpstreamConnection* connection : all_) {
            if (second_ >= connection->deadline_) {
                connection->timed_out_ = true;
                connection->expect_nothing();
                connection->wire_.reset();
            }
        }
        std::int64_t const oldest = second_ - shared_->limits.kept_idle.count();
        for (auto& [key, shelf] : kept_) {
            kept_count_ -= std::erase_if(shelf, [&](Connection const& connection) {
                return connection->idle_since_ < oldest;
            });
        }
    }
}

void UpstreamPool::stop() {
    stopping_ = true;
    timer_.cancel();
    kept_.clear();
    kept_count_ = 0;
    for (UpstreamConnection* connection : all_) {
        connection->wire_.reset();  // who waits for it sees an end
    }
}

}  // namespace brickgate
