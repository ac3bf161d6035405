// SPDX-License-Identifier: Apache-2.0
#pragma once
// The HTTP/1.1 server: listeners on TCP and Unix sockets, sessions spread over the worker executors
// that share nothing. Every limit is answered by its own status and ends the connection; what is
// not strictly HTTP is answered 400 and ended (RFC 9112, T39). Time limits are a sweep once a
// second, no timer per operation. listen_*() before start(); drain() from any executor.
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/result.h"
#include "net/server_message.h"

using SSL_CTX = struct ssl_ctx_st;

namespace brickgate {

struct ServerLimits {
    std::size_t header_bytes_max = 24 * 1024;       // request line included; 431
    std::size_t header_field_bytes_max = 8 * 1024;  // name and value; 431
    std::size_t header_count_max = 100;             // 431
    std::size_t target_bytes_max = 8 * 1024;        // 414
    std::size_t body_bytes_max = 64 * 1024;         // 413
    // Over all listeners. Beyond it the longest idle connection of the shard makes room.
    std::size_t connections_max = 20'000;
    // Of one address (IPv6: /64), but for this machine's own and the trusted proxies (T51).
    std::size_t connections_per_address_max = 256;
    Seconds idle{30};         // between requests
    Seconds handshake{5};     // TLS
    Seconds header{10};       // from a request's first byte to the end of its header
    Seconds body_slack{10};   // bodies come at 1 KiB a second at least, averaged over this
    Seconds write_slack{30};  // and answers are read so
    std::size_t slowest_bytes_per_second = 1024;
};

struct ServerOptions {
    std::vector<Executor> executors = {};  // one session lives on one of them
    ServerLimits limits = {};
    std::string constant_lines = {};  // header lines of every answer, each ended by CRLF
    FastHandler fast = {};            // may be empty
    Handler handler = {};
    // How a failure is told that no handler has told: what is no HTTP, too large, or a handler that
    // threw. Of a request that was not read whole it sees no more than method, path and listener.
    // Empty: JSON.
    std::function<ServerResponse(ServerRequest const&, Error const&)> render = {};
    // Which requests are streamed, decided on the header alone; may be empty.
    std::function<bool(ServerRequest const&)> streams = {};
    StreamHandler stream = {};
    // Peers that may hold any number of connections: CIDRs or addresses of trusted proxies.
    std::vector<std::string> many_from = {};
};

struct ServerCounts {
    std::size_t connections = 0;
    std::uint64_t accepted = 0;
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  // malformed, too large, too slow
};

// The TLS context of a listener's next connection: asked each time, so that certificates can be
// reloaded. Owned by whoever made it; nullptr refuses the connection.
using TlsSource = std::function<std::shared_ptr<SSL_CTX>()>;

class HttpServer {
 public:
    HttpServer(ServerOptions options, Clock const& clock);
    ~HttpServer();
    HttpServer(HttpServer const&) = delete;
    HttpServer& operator=(HttpServer const&) = delete;

    // "127.0.0.1:3000", "[::1]:3000", "localhost:0". Gives the address it got. address_in_use names
    // the port.
    // With a TlsSource it speaks TLS only.
    Result<std::string> listen_tcp(ListenerKind kind, std::string const& address,
                                   TlsSource tls = {});
    // Mode 0600. A socket file that nobody answers on is replaced; address_in_use if somebody does.
    Result<void> listen_unix(std::string const& path);
    void start();

    // Stops accepting, ends idle connections, lets requests under way be answered, and after
    // `grace` ends what is left.
    Task<void> drain(Milliseconds grace);
    ServerCounts counts() const;

 private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace brickgate
