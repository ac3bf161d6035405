// SPDX-License-Identifier: Apache-2.0
#include "app/key_command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <optional>

extern char** environ;

namespace brickgate {

namespace {

constexpr std::size_t output_bytes_max = 4096;  // some eighty keys
constexpr int look_every_ms = 10;

class Pipe {
 public:
    // Only our end does not wait: the program may write more than a pipe holds.
    Pipe() {
        opened_ = pipe2(ends_.data(), O_CLOEXEC) == 0 && fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0;
    }
    ~Pipe() {
        close_write();
        if (opened_) {
            close(ends_[0]);
        }
        wipe(text);
    }
    Pipe(Pipe const&) = delete;
    Pipe& operator=(Pipe const&) = delete;

    bool opened() const { return opened_; }
    int read_end() const { return ends_[0]; }
    int write_end() const { return ends_[1]; }
    void close_write() {
        if (opened_ && ends_[1] >= 0) {
            close(ends_[1]);
            ends_[1] = -1;
        }
    }
    // What has come, up to the limit and one byte more, which says that there was too much.
    void take() {
        std::array<char, output_bytes_max> bytes{};
        ssize_t const size = read(read_end(), bytes.data(), bytes.size());
        at_end = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
        if (size > 0) {
            auto const room = output_bytes_max + 1 - text.size();
            text.append(bytes.data(), std::min(static_cast<std::size_t>(size), room));
        }
        explicit_bzero(bytes.data(), bytes.size());
    }

    std::string text = reserved();
    bool at_end = false;

 private:
    static std::string reserved() {
        std::string out;
        out.reserve(output_bytes_max + 1);  // never grown: a grown text leaves a copy behind
        return out;
    }
    std::array<int, 2> ends_{-1, -1};
    bool opened_ = false;
};

std::unexpected<Error> failed(std::string const& program, std::string_view how,
                              std::string_view told = {}) {
    return std::unexpected(Error(ErrorCode::root_key_invalid,
                                 "The root key's command " + program + " " + std::string(how))
                               .with_hint("Run it by hand as the gateway's user; it must print "
                                          "lines of rk1: and base64, within ten seconds.")
                               .with_detail(told));
}

// In a process group of its own, so that all it started can be ended with it.
std::optional<pid_t> start(std::vector<std::string> const& words, Pipe const& out,
                           Pipe const& err) {
    std::vector<char*> arguments;
    for (auto const& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out.write_end(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, err.write_end(), STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = 0;
    int const status =
        posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return status == 0 ? std::optional(pid) : std::nullopt;
}

// Reads both pipes and waits for the end. nullopt: the time was up.
std::optional<int> wait_for(pid_t pid, Pipe& out, Pipe& err, Milliseconds limit) {
    auto const end = std::chrono::steady_clock::now() + limit;
    for (;;) {
        std::array<pollfd, 2> polled{{{out.at_end ? -1 : out.read_end(), POLLIN, 0},
                                      {err.at_end ? -1 : err.read_end(), POLLIN, 0}}};
        poll(polled.data(), polled.size(), look_every_ms);
        if (polled[0].revents != 0) {
            out.take();
        }
        if (polled[1].revents != 0) {
            err.take();
        }
        int status = 0;
        if (out.at_end && err.at_end && waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        if (std::chrono::steady_clock::now() >= end) {
            return std::nullopt;
        }
    }
}

}  // namespace

Result<Secret> run_key_command(std::vector<std::string> const& words, Milliseconds limit) {
    std::string const& program = words.front();
    Pipe out;
    Pipe err;
    auto const pid = out.opened() && err.opened() ? start(words, out, err) : std::nullopt;
    if (!pid) {
        return failed(program, "cannot be started.");
    }
    out.close_write();
    err.close_write();
    auto const status = wait_for(*pid, out, err, limit);
    if (!status) {
        kill(-*pid, SIGKILL);
        waitpid(*pid, nullptr, 0);
        return failed(program, "did not end in time and was stopped.", err.text);
    }
    if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
        return failed(program,
                      WIFEXITED(*status)
                          ? "failed with exit code " + std::to_string(WEXITSTATUS(*status)) + "."
                          : std::string("was ended by a signal."),
                      err.text);
    }
    if (out.text.size() > output_bytes_max) {
        return failed(program, "printed more than 4 KiB.");
    }
    return Secret::from(std::move(out.text));
}

}  // namespace brickgate
