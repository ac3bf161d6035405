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
#include "base/result.h"
#include "net/server_message.h"

namespace brickgate {

struct ServerLimits {
    std::size_t header_bytes_max = 32 * 1024;  // request line included; 431
    std::size_t header_count_max = 100;        // 431
    std::size_t target_bytes_max = 8 * 1024;   // 414
    std::size_t body_bytes_max = 64 * 1024;    // 413
    std::size_t connections_max = 10'000;      // over all listeners; more are closed at once
    Seconds idle{75};                          // between requests
    Seconds request{20};                       // from a request's first byte to its last
    Seconds write{20};                         // a client that does not read its answer
};

struct ServerOptions {
    std::vector<Executor> executors = {};  // one session lives on one of them
    ServerLimits limits = {};
    std::string constant_lines = {};  // header lines of every answer, each ended by CRLF
    FastHandler fast = {};            // may be empty
    Handler handler = {};
};

struct ServerCounts {
    std::size_t connections = 0;
    std::uint64_t accepted = 0;
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  // malformed, too large, too slow
};

class HttpServer {
 public:
    HttpServer(ServerOptions options, Clock const& clock);
    ~HttpServer();
    HttpServer(HttpServer const&) = delete;
    HttpServer& operator=(HttpServer const&) = delete;

    // "127.0.0.1:3000", "[::1]:3000", "localhost:0". Gives the address it got. address_in_use names
    // the port.
    Result<std::string> listen_tcp(ListenerKind kind, std::string const& address);
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
