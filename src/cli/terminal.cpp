// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>
#include <sstream>
#include <streambuf>

#include "app/process.h"
#include "base/encoding.h"

namespace brickgate::cli {

namespace {

class Socket {
 public:
    explicit Socket(int family) : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        int const on = 1;
        setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    ~Socket() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    Socket(Socket const&) = delete;
    Socket& operator=(Socket const&) = delete;
    int fd() const { return fd_; }

    template <class Address>
    bool binds(Address const& address) const {
        return bind(fd_, reinterpret_cast<sockaddr const*>(&address), sizeof(address)) == 0;
    }

 private:
    int fd_;
};

sockaddr_in loopback_v4(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

}  // namespace

std::string text_at(json::object const& object, std::string_view key) {
    return std::string(string_at(object, key).value_or(""));
}

bool port_is_free(int port) {
    if (!Socket(AF_INET).binds(loopback_v4(port))) {
        return false;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<std::uint16_t>(port));
    v6.sin6_addr = in6addr_loopback;
    Socket const second(AF_INET6);
    return second.binds(v6) || errno != EADDRINUSE;  // a machine without IPv6 is no obstacle
}

int free_port() {
    for (int tries = 0; tries < 20; ++tries) {
        Socket const probe(AF_INET);
        sockaddr_in address = loopback_v4(0);
        socklen_t size = sizeof(address);
        bool const bound =
            probe.binds(address) &&
            getsockname(probe.fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
        int const port = ntohs(address.sin_port);
        if (bound && port_is_free(port)) {
            return port;
        }
    }
    return 0;
}

int port_number(std::string_view address) {
    auto const colon = address.rfind(':');
    int port = 0;
    if (colon != std::string_view::npos) {
        std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
    }
    return port;
}

std::string ssh_line(std::vector<int> const& ports) {
    // "client-address client-port server-address server-port"
    std::istringstream connection(environment_variable("SSH_CONNECTION"));
    std::string ignored;
    std::string server;
    std::string server_port;
    if (!(connection >> ignored >> ignored >> server >> server_port)) {
        return {};
    }
    std::string line = "ssh";
    for (int const port : ports) {
        std::string const number = std::to_string(port);
        line += " -L " + number + ":127.0.0.1:" + number;
    }
    if (server_port != "22") {
        line += " -p " + server_port;
    }
    std::string const user = environment_variable("USER");
    return line + " " + (user.empty() ? "" : user + "@") + server;
}

std::string calling_script() {
    // A name that no setting can have, and that nobody sets by hand.
    return environment_variable("__brickgate_called_as");
}

std::string command_name(std::string const& program) {
    if (std::string const script = calling_script(); !script.empty()) {
        return shell_word(script) + " brickgate";
    }
    return program.empty() ? "brickgate" : shell_word(program);
}

std::string as_typed(std::string_view hint) {
    constexpr std::string_view own = "brickgate ";
    constexpr std::array<std::string_view, 10> commands{
        "login", "token", "connections", "api-keys", "capabilities", "service-principals",
        "serve", "demo",  "doctor",      "config"};
    std::string out(hint);
    std::string const script = calling_script();
    if (script.empty()) {
        return out;
    }
    std::string const before = shell_word(script) + " ";
    for (auto at = out.find(own); at != std::string::npos; at = out.find(own, at + own.size())) {
        auto const rest = std::string_view(out).substr(at + own.size());
        auto const word = rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"));
        bool const starts = at == 0 || out[at - 1] == ' ' || out[at - 1] == '`';
        if (starts && std::ranges::find(commands, word) != commands.end()) {
            out.insert(at, before);
            at += before.size();
        }
    }
    return out;
}

std::string shell_word(std::string const& word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:@%+,";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
        return word;
    }
    std::string out = "'";
    for (char const c : word) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

// Each piece that is written is a whole text: strings are not cut between the bytes of a character.
class CleanStream::Filter : public std::streambuf {
 public:
    explicit Filter(std::streambuf& into) : into_(into) {}

 protected:
    std::streamsize xsputn(char const* bytes, std::streamsize count) override {
        std::string_view text(bytes, static_cast<std::size_t>(count));
        while (!text.empty()) {
            auto const end = std::min(text.find('\n'), text.size());
            auto const line = clean_text(text.substr(0, end), end);
            into_.sputn(line.data(), static_cast<std::streamsize>(line.size()));
            if (end < text.size()) {
                into_.sputc('\n');
            }
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        return count;
    }
    int overflow(int byte) override {
        if (byte != traits_type::eof()) {
            char const one = traits_type::to_char_type(byte);
            xsputn(&one, 1);
        }
        return traits_type::not_eof(byte);
    }
    int sync() override { return into_.pubsync(); }

 private:
    std::streambuf& into_;
};

CleanStream::CleanStream(std::ostream& stream)
    : stream_(stream),
      filter_(std::make_unique<Filter>(*stream.rdbuf())),
      before_(stream.rdbuf(filter_.get())) {}

CleanStream::~CleanStream() {
    stream_.rdbuf(before_);
}

}  // namespace brickgate::cli
