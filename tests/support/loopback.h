// SPDX-License-Identifier: Apache-2.0
#pragma once
// Plain blocking sockets on 127.0.0.1 for tests that must see single bytes: a server that does what
// a script says with each connection, and a client that sends what it is told.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace brickgate::testing {

inline sockaddr_in loopback_address(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

inline void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t const sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// What comes within the time; empty at the end of the stream or when nothing came.
inline std::string receive_some(int fd, int wait_ms = 10'000) {
    pollfd ready{fd, POLLIN, 0};
    char buffer[65536];
    if (::poll(&ready, 1, wait_ms) != 1) {
        return {};
    }
    ssize_t const got = ::recv(fd, buffer, sizeof buffer, 0);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

// One request, its header and as much body as Content-Length says.
inline std::string receive_request(int fd) {
    std::string all;
    for (;;) {
        auto const end = all.find("\r\n\r\n");
        if (end != std::string::npos) {
            auto const at = all.find("Content-Length: ");
            std::size_t const body = at < end ? std::stoul(all.substr(at + 16)) : 0;
            if (all.size() >= end + 4 + body) {
                return all;
            }
        }
        std::string const more = receive_some(fd);
        if (more.empty()) {
            return all;
        }
        all += more;
    }
}

class ScriptedServer {
 public:
    // The script runs on a thread of its connection; it may answer or just return. The connection
    // is closed when it returns.
    using Script = std::function<void(int fd, int connection)>;
    explicit ScriptedServer(Script script) : script_(std::move(script)) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback_address(0);
        socklen_t size = sizeof address;
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(fd_, 64) != 0) {
            throw std::runtime_error("no port on 127.0.0.1");
        }
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~ScriptedServer() { stop(); }
    ScriptedServer(ScriptedServer const&) = delete;
    ScriptedServer& operator=(ScriptedServer const&) = delete;

    // Ends every connection and waits for the scripts: after it, what they wrote may be read.
    void stop() {
        if (!acceptor_.joinable()) {
            return;
        }
        ::shutdown(fd_, SHUT_RDWR);
        acceptor_.join();
        for (auto& [fd, thread] : live_) {
            ::shutdown(fd, SHUT_RDWR);
            thread.join();
            ::close(fd);
        }
        ::close(fd_);
    }

    std::uint16_t port() const { return port_; }
    std::string url(std::string_view path = "/") const {
        return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
    }
    int connections() const { return connections_.load(); }

 private:
    void accept_all() {
        for (int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0;
             fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)) {
            int const nth = connections_++;
            live_.emplace_back(fd, std::thread([this, fd, nth] {
                                   script_(fd, nth);
                                   ::shutdown(fd, SHUT_RDWR);
                               }));
        }
    }
    Script script_;
    int fd_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> connections_{0};
    std::vector<std::pair<int, std::thread>> live_;  // the acceptor's, then stop()'s
    std::thread acceptor_;
};

class RawClient {
 public:
    explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in const address = loopback_address(port);
        connected_ =
            ::connect(fd_, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0;
    }
    ~RawClient() { ::close(fd_); }
    RawClient(RawClient const&) = delete;
    RawClient& operator=(RawClient const&) = delete;

    bool connected() const { return connected_; }
    void send(std::string_view bytes) { send_all(fd_, bytes); }
    void end_sending() { ::shutdown(fd_, SHUT_WR); }
    std::string receive(int wait_ms = 10'000) { return receive_some(fd_, wait_ms); }
    // Everything until the server ends the connection.
    std::string receive_all() {
        std::string all;
        for (std::string more = receive(); !more.empty(); more = receive()) {
            all += more;
        }
        return all;
    }
    // One answer by its Content-Length; what came after it is kept for the next call.
    std::string receive_answer(bool without_body = false) {
        for (;;) {
            auto const end = rest_.find("\r\n\r\n");
            if (end != std::string::npos) {
                auto const at = rest_.find("Content-Length: ");
                std::size_t const body =
                    !without_body && at < end ? std::stoul(rest_.substr(at + 16)) : 0;
                if (rest_.size() >= end + 4 + body) {
                    std::string const answer = rest_.substr(0, end + 4 + body);
                    rest_.erase(0, answer.size());
                    return answer;
                }
            }
            std::string const more = receive();
            if (more.empty()) {
                return std::exchange(rest_, {});
            }
            rest_ += more;
        }
    }
    int fd() const { return fd_; }

 private:
    int fd_;
    bool connected_ = false;
    std::string rest_;
};

}  // namespace brickgate::testing
