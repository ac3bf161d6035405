// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <charconv>
#include <optional>
#include <utility>

#include "base/log.h"
#include "net/address_guard.h"
#include "net/bridge.h"
#include "net/http_session.h"

namespace brickgate {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Unix = asio::local::stream_protocol;
template <class Protocol>
using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;

std::optional<tcp::endpoint> parse_endpoint(std::string_view text) {
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string host(text.substr(0, colon));
    if (host == "localhost") {
        host = "127.0.0.1";
    } else if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    std::string_view const digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    error_code ec;
    auto const address = asio::ip::make_address(host, ec);
    if (ec || error != std::errc() || end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return tcp::endpoint(address, port);
}

std::string to_text(tcp::endpoint const& endpoint) {
    auto const address = endpoint.address();
    std::string const host =
        address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return host + ":" + std::to_string(endpoint.port());
}

Error listen_error(error_code const& ec, std::string const& where, std::string const& port) {
    if (ec == asio::error::address_in_use) {
        return Error(ErrorCode::address_in_use,
                     port.empty()
                         ? "Another program listens on " + where + "."
                         : "Port " + port + " is taken: another program listens on " + where + ".");
    }
    return Error(ErrorCode::config_invalid,
                 "Cannot listen on " + where + ": " + ec.message() + ".");
}

bool is_out_of_descriptors(error_code const& ec) {
    return ec == asio::error::no_descriptors ||
           ec == boost::system::errc::too_many_files_open_in_system;
}

Task<bool> shed_one(std::shared_ptr<Shard> shard) {
    co_return shard->shed_longest_idle();
}

template <class Protocol>
Session::Peer peer_of(asio::basic_stream_socket<Protocol, Executor>& socket, ListenerKind kind) {
    Session::Peer peer;
    peer.listener = kind;
    error_code ec;
    if constexpr (std::is_same_v<Protocol, tcp>) {
        auto const remote = socket.remote_endpoint(ec);
        auto const mapped = IpAddress::parse(remote.address().to_string());
        peer.counted = mapped && !mapped->is_loopback();
        peer.address =
            mapped ? mapped->to_string() : std::string();  // ::ffff:192.0.2.1 as 192.0.2.1
        peer.port = remote.port();
        socket.set_option(tcp::no_delay(true), ec);
    } else {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
            peer.uid = credentials.uid;
        }
    }
    return peer;
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<State> {
    struct Listener {
        ListenerKind kind;
        std::shared_ptr<Acceptor<tcp>> tcp_acceptor = {};
        std::shared_ptr<Acceptor<Unix>> unix_acceptor = {};
        std::string path = {};
        TlsSource tls = {};
    };

    template <class Protocol>
    Task<void> accept(std::shared_ptr<Acceptor<Protocol>> acceptor, ListenerKind kind,
                      TlsSource tls);
    template <class Protocol>
    void admit(asio::basic_stream_socket<Protocol, Executor> socket, std::shared_ptr<Shard> shard,
               ListenerKind kind, TlsSource const& tls);
    Task<void> begin(StreamSocket socket, std::shared_ptr<Shard> shard, Session::Peer peer);
    Task<bool> make_room();
    bool may_have_many(std::string const& address) const;
    Task<void> stop_accepting();

    std::shared_ptr<ServerOptions const> options;
    std::vector<std::shared_ptr<Shard>> shards;
    std::vector<Listener> listeners;
    std::shared_ptr<ConnectionCount> connections = std::make_shared<ConnectionCount>();
    std::vector<Network> many_from;
    std::size_t next_shard = 0;
};

// One listening socket, and not one a thread with SO_REUSEPORT: that would let a second gateway of
// the same user take half of our connections without a word.
template <class Protocol>
Task<void> HttpServer::State::accept(std::shared_ptr<Acceptor<Protocol>> acceptor,
                                     ListenerKind kind, TlsSource tls) {
    auto const self = shared_from_this();
    SteadyTimer pause(acceptor->get_executor());
    while (acceptor->is_open()) {
        std::shared_ptr<Shard> const shard = shards[next_shard++ % shards.size()];
        error_code ec;
        auto socket =
            co_await acceptor->async_accept(shard->executor, asio::redirect_error(use_task, ec));
        if (!ec) {
            admit(std::move(socket), shard, kind, tls);
        } else if (acceptor->is_open()) {
            bool const has_room = is_out_of_descriptors(ec) && co_await make_room();
            if (has_room) {
                continue;
            }
            // Nobody is idle: give sessions time to end.
            log(LogLevel::warning, "accept_failed", "Cannot accept a connection.",
                {{"error", ec.message()}});
            pause.expires_after(std::chrono::milliseconds(100));
            co_await pause.async_wait(asio::redirect_error(use_task, ec));
        }
    }
}

// The longest idle connection of each shard goes; false: nobody is idle.
Task<bool> HttpServer::State::make_room() {
    bool made = false;
    for (auto const& shard : shards) {
        bool const shed = co_await run_on(shard->executor, shed_one(shard));
        made = made || shed;
    }
    co_return made;
}

template <class Protocol>
void HttpServer::State::admit(asio::basic_stream_socket<Protocol, Executor> socket,
                              std::shared_ptr<Shard> shard, ListenerKind kind,
                              TlsSource const& tls) {
    Session::Peer peer = peer_of(socket, kind);
    peer.counted = peer.counted && !may_have_many(peer.address);
    if (tls) {
        peer.tls = tls();
    }
    bool const no_certificate = tls && !peer.tls;
    std::size_t const share = options->limits.connections_per_address_max;
    if (no_certificate || !connections->add(peer.counted ? peer.address : "", share)) {
        shard->refused.fetch_add(1);
        return;  // closed as it goes
    }
    spawn(shard->executor, begin(StreamSocket(std::move(socket)), shard, std::move(peer)));
}

// On the shard's own thread, where its sessions may be looked at.
Task<void> HttpServer::State::begin(StreamSocket socket, std::shared_ptr<Shard> shard,
                                    Session::Peer peer) {
    bool const full = connections->total() > options->limits.connections_max;
    if (full && !shard->shed_longest_idle()) {
        connections->remove(peer.counted ? peer.address : "");
        shard->refused.fetch_add(1);
        co_return;
    }
    shard->accepted.fetch_add(1);
    co_await Session::run(std::make_shared<Session>(std::move(socket), shard, std::move(peer)));
}

bool HttpServer::State::may_have_many(std::string const& address) const {
    auto const parsed = IpAddress::parse(address);
    return parsed && std::ranges::any_of(many_from, [&](Network const& network) {
               return network.contains(*parsed);
           });
}

Task<void> HttpServer::State::stop_accepting() {
    error_code ignored;
    for (Listener& listener : listeners) {
        if (listener.tcp_acceptor) {
            listener.tcp_acceptor->close(ignored);
        } else {
            listener.unix_acceptor->close(ignored);
            unlink(listener.path.c_str());
        }
    }
    listeners.clear();
    co_return;
}

HttpServer::HttpServer(ServerOptions options, Clock const& clock)
    : state_(std::make_shared<State>()) {
    state_->options = std::make_shared<ServerOptions const>(std::move(options));
    for (std::string const& text : state_->options->many_from) {
        if (auto const network = Network::parse(text)) {
            state_->many_from.push_back(*network);
        }
    }
    for (Executor const& executor : state_->options->executors) {
        state_->shards.push_back(
            std::make_shared<Shard>(executor, state_->options, clock, state_->connections));
    }
}

HttpServer::~HttpServer() {
    for (State::Listener const& listener : state_->listeners) {
        if (!listener.path.empty()) {
            unlink(listener.path.c_str());
        }
    }
}

Result<std::string> HttpServer::listen_tcp(ListenerKind kind, std::string const& address,
                                           TlsSource tls) {
    auto const endpoint = parse_endpoint(address);
    if (!endpoint) {
        return fail(ErrorCode::config_invalid,
                    "\"" + address +
                        "\" is not an address to listen on: write ADDR:PORT, e.g. 127.0.0.1:3000.");
    }
    auto acceptor = std::make_shared<Acceptor<tcp>>(state_->options->executors.front());
    error_code ec;
    acceptor->open(endpoint->protocol(), ec);
    if (!ec) {
        acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
    }
    if (!ec) {
        acceptor->bind(*endpoint, ec);
    }
    if (!ec) {
        acceptor->listen(asio::socket_base::max_listen_connections, ec);
    }
    if (ec) {
        return fail(listen_error(ec, to_text(*endpoint), std::to_string(endpoint->port())));
    }
    std::string bound = to_text(acceptor->local_endpoint(ec));
    state_->listeners.push_back({.kind = kind, .tcp_acceptor = std::move(acceptor), .tls = tls});
    return bound;
}

namespace {

// A socket file that a dead process left behind refuses connections.
bool somebody_listens(std::string const& path) {
    asio::io_context context(1);
    asio::basic_stream_socket<Unix, Executor> probe(context.get_executor());
    error_code ec;
    probe.connect(Unix::endpoint(path), ec);
    return !ec;
}

}  // namespace

Result<void> HttpServer::listen_unix(std::string const& path) {
    struct stat found{};
    bool const exists = lstat(path.c_str(), &found) == 0;
    if (path.size() >= sizeof(sockaddr_un::sun_path) || (exists && !S_ISSOCK(found.st_mode))) {
        return fail(ErrorCode::config_invalid,
                    "\"" + path + "\" cannot be a socket: " +
                        (exists ? "there is a file." : "the path is too long."));
    }
    if (exists && somebody_listens(path)) {
        return fail(ErrorCode::address_in_use, "Another program listens on " + path + ".");
    }
    if (exists) {
        unlink(path.c_str());
    }
    auto acceptor = std::make_shared<Acceptor<Unix>>(state_->options->executors.front());
    error_code ec;
    acceptor->open(Unix(), ec);
    // Before bind(): the file is born with this mode, so there is no moment in which others may
    // connect.
    if (!ec && fchmod(acceptor->native_handle(), S_IRUSR | S_IWUSR) != 0) {
        ec = error_code(errno, boost::system::system_category());
    }
    if (!ec) {
        acceptor->bind(Unix::endpoint(path), ec);
    }
    if (!ec && chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
        ec = error_code(errno, boost::system::system_category());
    }
    if (!ec) {
        acceptor->listen(asio::socket_base::max_listen_connections, ec);
    }
    if (ec) {
        return fail(listen_error(ec, path, ""));
    }
    state_->listeners.push_back(
        {.kind = ListenerKind::local_socket, .unix_acceptor = std::move(acceptor), .path = path});
    return {};
}

void HttpServer::start() {
    Executor const home = state_->options->executors.front();
    for (State::Listener const& listener : state_->listeners) {
        if (listener.tcp_acceptor) {
            spawn(home, state_->accept(listener.tcp_acceptor, listener.kind, listener.tls));
        } else {
            spawn(home, state_->accept(listener.unix_acceptor, listener.kind, TlsSource()));
        }
    }
    for (auto const& shard : state_->shards) {
        spawn(shard->executor, shard->sweep());
    }
}

Task<void> HttpServer::drain(Milliseconds grace) {
    auto const state = state_;
    auto const deadline = std::chrono::steady_clock::now() + grace;
    co_await run_on(state->options->executors.front(), state->stop_accepting());
    for (auto const& shard : state->shards) {
        co_await run_on(shard->executor, shard->begin_drain());
    }
    for (auto const& shard : state->shards) {
        co_await run_on(shard->executor, shard->finish_drain(deadline));
    }
}

ServerCounts HttpServer::counts() const {
    ServerCounts counts;
    counts.connections = state_->connections->total();
    for (auto const& shard : state_->shards) {
        counts.accepted += shard->accepted.load();
        counts.requests += shard->requests.load();
        counts.refused += shard->refused.load();
    }
    return counts;
}

}  // namespace brickgate
