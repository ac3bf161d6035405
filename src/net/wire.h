// SPDX-License-Identifier: Apache-2.0
#pragma once
// One socket, plain or under TLS, for the server's sessions and the proxy's upstream connections.
// TLS is OpenSSL on the descriptor itself (docs/adr/0014), so that what the kernel takes at once
// needs no coroutine and bulk data is copied once. Lives on one executor. A read that ends without
// TLS's own farewell is an error, not an end: what was cut must not look complete. Errors come as
// error_code; eof is boost::asio::error::eof.
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/task.h"

using SSL = struct ssl_st;
using SSL_CTX = struct ssl_ctx_st;

namespace brickgate {

// TCP and Unix sockets alike: one instantiation of everything.
using StreamSocket =
    boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

class Wire {
 public:
    using error_code = boost::system::error_code;

    explicit Wire(StreamSocket socket);
    ~Wire();
    Wire(Wire&&) noexcept;
    Wire& operator=(Wire&&) noexcept;

    // From here on everything is encrypted; handshake() next. False: OpenSSL has no memory for it.
    bool accept_tls(SSL_CTX* context);
    // Verifies chain and name; `host` is what the certificate must be for, a name or an address.
    bool connect_tls(SSL_CTX* context, std::string const& host);
    Task<error_code> handshake();
    bool is_tls() const { return ssl_ != nullptr; }
    // After a handshake that failed: the certificate's fault in words, or empty.
    std::string certificate_fault() const;

    Task<std::size_t> read_some(std::span<char> room, error_code& ec);
    // What can be read without waiting; 0 and would_block if nothing.
    std::size_t read_now(std::span<char> room, error_code& ec);
    // What goes out without waiting; 0 and would_block if nothing.
    std::size_t write_now(std::string_view bytes, error_code& ec);
    // Two pieces in one call where the kernel can; counts both together.
    std::size_t write_now(std::string_view first, std::string_view second, error_code& ec);
    Task<void> writable(error_code& ec);  // waits until write_now may get further
    // Waits until there is something to read or room to write, whichever comes first.
    Task<void> readable_or_writable(error_code& ec);
    // Something came (or the end) on a connection that should be quiet.
    bool has_input();
    // The peer has ended the connection; what it sent before is not looked at.
    bool peer_left();

    void shut_down_sending();
    void close();
    void reset();  // the peer sees a reset, never an end
    bool is_open() const { return socket_.is_open(); }
    StreamSocket& socket() { return socket_; }

 private:
    struct SslDeleter {
        void operator()(SSL* ssl) const;
    };
    bool attach(SSL_CTX* context);
    // Waits for what OpenSSL asked for; false: `ec` says why there is nothing to wait for.
    Task<bool> wait_for(int result, error_code& ec);
    error_code error_of(int result) const;

    StreamSocket socket_;
    std::unique_ptr<SSL, SslDeleter> ssl_;
};

}  // namespace brickgate
