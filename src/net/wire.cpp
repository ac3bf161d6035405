// SPDX-License-Identifier: Apache-2.0
#include "net/wire.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <utility>

#include "net/address_guard.h"

namespace brickgate {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// OpenSSL counts in int, and one record holds 16 KiB anyway.
constexpr std::size_t tls_piece_max = 64 * 1024;

}  // namespace

void Wire::SslDeleter::operator()(SSL* ssl) const {
    SSL_free(ssl);
}

Wire::Wire(StreamSocket socket) : socket_(std::move(socket)) {
    error_code ignored;
    if (socket_.is_open()) {
        socket_.non_blocking(true, ignored);
    }
}

Wire::~Wire() = default;
Wire::Wire(Wire&&) noexcept = default;
Wire& Wire::operator=(Wire&&) noexcept = default;

bool Wire::attach(SSL_CTX* context) {
    ssl_.reset(SSL_new(context));
    return ssl_ != nullptr && SSL_set_fd(ssl_.get(), socket_.native_handle()) == 1;
}

bool Wire::accept_tls(SSL_CTX* context) {
    if (!attach(context)) {
        return false;
    }
    SSL_set_accept_state(ssl_.get());
    return true;
}

bool Wire::connect_tls(SSL_CTX* context, std::string const& host) {
    if (!attach(context)) {
        return false;
    }
    SSL* const ssl = ssl_.get();
    SSL_set_connect_state(ssl);
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
    // A name in the subject counts for nothing any more (RFC 9525 section 6.3; T33).
    X509_VERIFY_PARAM_set_hostflags(
        wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (IpAddress::parse(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
    }
    return X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size()) == 1 &&
           SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

error_code Wire::error_of(int result) const {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return asio::error::would_block;
        case SSL_ERROR_ZERO_RETURN:
            return asio::error::eof;
        default:
            return asio::error::connection_reset;
    }
}

Task<bool> Wire::wait_for(int result, error_code& ec) {
    int const wish = SSL_get_error(ssl_.get(), result);
    if (wish == SSL_ERROR_WANT_READ) {
        co_await socket_.async_wait(StreamSocket::wait_read, asio::redirect_error(use_task, ec));
    } else if (wish == SSL_ERROR_WANT_WRITE) {
        co_await socket_.async_wait(StreamSocket::wait_write, asio::redirect_error(use_task, ec));
    } else {
        ec = error_of(result);
    }
    co_return !ec;
}

Task<error_code> Wire::handshake() {
    error_code ec;
    for (;;) {
        ERR_clear_error();
        int const result = SSL_do_handshake(ssl_.get());
        if (result == 1) {
            co_return error_code();
        }
        bool const go_on = co_await wait_for(result, ec);
        if (!go_on) {
            co_return ec;
        }
    }
}

std::string Wire::certificate_fault() const {
    long const verdict = ssl_ ? SSL_get_verify_result(ssl_.get()) : X509_V_OK;
    return verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict);
}

Task<std::size_t> Wire::read_some(std::span<char> room, error_code& ec) {
    if (!ssl_) {
        co_return co_await socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                                   asio::redirect_error(use_task, ec));
    }
    for (;;) {
        ERR_clear_error();
        int const got = SSL_read(ssl_.get(), room.data(),
                                 static_cast<int>(std::min(room.size(), tls_piece_max)));
        if (got > 0) {
            ec = {};
            co_return static_cast<std::size_t>(got);
        }
        bool const go_on = co_await wait_for(got, ec);
        if (!go_on) {
            co_return 0;
        }
    }
}

std::size_t Wire::read_now(std::span<char> room, error_code& ec) {
    if (!ssl_) {
        return socket_.read_some(asio::buffer(room.data(), room.size()), ec);
    }
    ERR_clear_error();
    int const got =
        SSL_read(ssl_.get(), room.data(), static_cast<int>(std::min(room.size(), tls_piece_max)));
    ec = got > 0 ? error_code() : error_of(got);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
}

std::size_t Wire::write_now(std::string_view bytes, error_code& ec) {
    ec = {};
    if (bytes.empty()) {
        return 0;
    }
    if (!ssl_) {
        return socket_.write_some(asio::buffer(bytes), ec);
    }
    ERR_clear_error();
    int const put = SSL_write(ssl_.get(), bytes.data(),
                              static_cast<int>(std::min(bytes.size(), tls_piece_max)));
    if (put > 0) {
        return static_cast<std::size_t>(put);
    }
    ec = error_of(put);
    return 0;
}

std::size_t Wire::write_now(std::string_view first, std::string_view second, error_code& ec) {
    if (second.empty() || first.empty() || ssl_) {
        return write_now(first.empty() ? second : first, ec);
    }
    std::array<asio::const_buffer, 2> const both{asio::buffer(first), asio::buffer(second)};
    return socket_.write_some(both, ec);
}

Task<void> Wire::writable(error_code& ec) {
    // A renegotiating or key-updating peer may make a write wait for a read.
    bool const wants_read = ssl_ && SSL_want(ssl_.get()) == SSL_READING;
    auto const what = wants_read ? StreamSocket::wait_read : StreamSocket::wait_write;
    co_await socket_.async_wait(what, asio::redirect_error(use_task, ec));
}

Task<void> Wire::readable_or_writable(error_code& ec) {
    auto group = asio::experimental::make_parallel_group(
        socket_.async_wait(StreamSocket::wait_read, asio::deferred),
        socket_.async_wait(StreamSocket::wait_write, asio::deferred));
    asio::experimental::wait_for_one const first;
    auto const [order, read_error, write_error] = co_await group.async_wait(first, use_task);
    ec = order[0] == 0 ? read_error : write_error;
}

bool Wire::has_input() {
    char byte = 0;
    if (ssl_) {
        ERR_clear_error();
        // Session tickets come unasked and are no input; SSL_peek takes them in.
        int const got = SSL_peek(ssl_.get(), &byte, sizeof byte);
        return got > 0 || SSL_get_error(ssl_.get(), got) != SSL_ERROR_WANT_READ;
    }
    ssize_t const got = recv(socket_.native_handle(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

bool Wire::peer_left() {
    char byte = 0;
    if (ssl_) {
        ERR_clear_error();
        int const got = SSL_peek(ssl_.get(), &byte, sizeof byte);
        return got <= 0 && SSL_get_error(ssl_.get(), got) != SSL_ERROR_WANT_READ;
    }
    ssize_t const got = recv(socket_.native_handle(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

void Wire::shut_down_sending() {
    if (ssl_) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
    }
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void Wire::close() {
    if (ssl_ && socket_.is_open()) {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
    }
    error_code ignored;
    socket_.close(ignored);
}

void Wire::reset() {
    error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
}

}  // namespace brickgate
