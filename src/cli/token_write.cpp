// SPDX-License-Identifier: Apache-2.0
// brickgate token --write FILE: a file that always holds a good token, until it is ended. Where a
// daemon runs, it is asked by long polls; where none does, the vault is opened for the moment of
// each refresh and closed in between, so that other commands and a daemon find it free.
#include <algorithm>
#include <iostream>
#include <optional>
#include <thread>

#include "cli/interrupt.h"
#include "cli/private_file.h"
#include "cli/terminal.h"
#include "cli/tokens.h"
#include "net/system_ports.h"

namespace brickgate::cli {

namespace {

using namespace std::chrono_literals;
// With what a refresh may take before it, below the minute that the socket's client waits.
constexpr int poll_seconds = 25;
constexpr Milliseconds short_pause = 1s;
constexpr Milliseconds usual_pause = 5s;
constexpr Milliseconds longest_pause = 60s;
constexpr Milliseconds look_for_signals = 100ms;
constexpr Milliseconds look_for_daemon = 2s;  // one that starts knows of the next token first

// By itself, or by what an operator does at the daemon's side.
bool may_pass(Error const& error) {
    return error.retry() == Retry::later || error.code() == ErrorCode::app_fault;
}

class Writer {
 public:
    Writer(Common const& common, TokenOptions const& options, LoadedConfig first)
        : common_(common), options_(options), first_(std::move(first)), id_(options.connection) {
        place_.data.dir = first_.config.data.dir;
    }

    int run() {
        for (;;) {
            auto const next = look();
            if (interrupted()) {
                return Exit::ok;
            }
            if (next.end) {
                return *next.end;
            }
            rest(next.pause);
            if (interrupted()) {
                return Exit::ok;
            }
        }
    }

 private:
    struct Next {
        Milliseconds pause{0};
        std::optional<int> end = std::nullopt;
    };

    Next look() {
        auto loaded = load(common_, &first_);
        if (!loaded) {
            return {.end = loaded.error()};
        }
        auto admin = connect_admin(std::move(*loaded));
        if (!admin) {
            return trouble(admin.error());
        }
        alone_ = !(*admin)->is_daemon();
        if (!chosen_) {
            ConnectionChoice choice{.id = options_.connection, .host = options_.host};
            choice.how = "brickgate token <id> --write " + shell_word(options_.write);
            auto const row = choose_connection(**admin, choice);
            if (!row) {
                return trouble(row.error());
            }
            id_ = text_at(*row, "id");
            chosen_ = true;
        }
        return alone_ ? refresh_if_due(**admin) : poll(**admin);
    }

    std::string path() const { return "/v1/connections/" + percent_encode(id_); }
    std::string token_path() const {
        return path() + "/token?min_valid=" + std::to_string(options_.min_valid);
    }

    Next poll(Admin& daemon) {
        std::string target = token_path();
        if (written_) {
            target +=
                "&wait=" + std::to_string(*written_) + "&timeout=" + std::to_string(poll_seconds);
        }
        auto const token = ask(daemon, "GET", target);
        if (!token) {
            return trouble(token.error());
        }
        if (token->empty()) {
            return {};  // nothing new in that time
        }
        // A daemon that does not know how to wait answers at once.
        bool const same = written_ && generation_of(*token) == *written_;
        return same ? Next{short_pause} : store(*token);
    }

    Next refresh_if_due(Admin& vault) {
        auto row = ask(vault, "GET", path());
        if (!row) {
            return trouble(row.error());
        }
        bool const ours = written_ && generation_of(*row) == *written_;
        std::optional<Error> failed;
        if (ours && clock_.now() >= due_at(*row)) {
            if (auto const refreshed = ask(vault, "POST", path() + "/refresh"); !refreshed) {
                failed = refreshed.error();
            }
        }
        auto const token = ask(vault, "GET", token_path());
        if (!token) {
            return trouble(token.error());
        }
        auto next = written_ && generation_of(*token) == *written_ ? Next{} : store(*token);
        row = ask(vault, "GET", path());
        if (next.end || !row) {
            return next.end ? next : trouble(row.error());
        }
        if (failed) {
            tell(*failed);
            next.pause = std::max(next.pause, usual_pause);
        }
        next.pause = std::max({next.pause, short_pause, due_at(*row) - clock_.now()});
        return next;
    }

    // When the next refresh is due, or may be tried again.
    static Time due_at(json::object const& row) {
        auto const due = from_rfc3339(text_at(row, "refresh_due_at"));
        auto const retry = from_rfc3339(text_at(row, "next_attempt_at"));
        auto const end = from_rfc3339(text_at(row, "expires_at"));
        return std::max(due ? *due : end.value_or(Time{}), retry.value_or(Time{}));
    }

    static std::uint64_t generation_of(json::object const& document) {
        return static_cast<std::uint64_t>(integer_at(document, "generation").value_or(0));
    }

    Next store(json::object const& token) {
        auto text = token_file_text(token, options_.format);
        if (!text) {
            return trouble(text.error());
        }
        auto const stored = replace_private_file(options_.write, *text);
        wipe(*text);
        if (!stored) {
            std::cerr << "brickgate: " << stored.error() << '\n';
            return written_ && !options_.once ? Next{usual_pause} : Next{.end = Exit::failed};
        }
        written_ = generation_of(token);
        told_.clear();
        std::cerr << "brickgate: " << options_.write << " holds generation " << *written_
                  << ", good until " << text_at(token, "expires_at") << '\n';
        return options_.once ? Next{.end = Exit::ok} : Next{};
    }

    Next trouble(Error const& error) {
        if (options_.once || !may_pass(error)) {
            return {.end = interrupted() ? static_cast<int>(Exit::ok) : complain(error)};
        }
        tell(error);
        Milliseconds const wanted = error.retry_after().value_or(Seconds(0));
        return {.pause =
                    std::clamp(wanted, wanted > 0s ? short_pause : usual_pause, longest_pause)};
    }

    // Once for each kind of trouble, not once a try.
    void tell(Error const& error) {
        if (told_ == error.name() || interrupted()) {
            return;
        }
        told_ = error.name();
        std::cerr << "brickgate: " << options_.write
                  << (written_ ? " stays as it is for now: " : " is not written yet: ")
                  << error.message() << " (" << error.name() << ")\n";
    }

    void rest(Milliseconds pause) const {
        Instant const end = clock_.steady() + pause;
        Instant look_again = clock_.steady() + look_for_daemon;
        while (!interrupted() && clock_.steady() < end) {
            std::this_thread::sleep_for(std::min(look_for_signals, end - clock_.steady()));
            if (alone_ && clock_.steady() >= look_again) {
                look_again = clock_.steady() + look_for_daemon;
                if (daemon_runs(place_)) {
                    return;
                }
            }
        }
    }

    Common const& common_;
    TokenOptions const& options_;
    LoadedConfig first_;  // for the secrets, which the environment does not have a second time
    SystemClock clock_;
    Config place_;  // the data folder's, for looking whether a daemon has come
    std::string id_;
    bool chosen_ = false;
    bool alone_ = false;
    std::optional<std::uint64_t> written_;  // the generation that the file holds
    std::string told_;
};

}  // namespace

int run_token_write(Common const& common, TokenOptions const& options) {
    catch_interrupts();
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    return Writer(common, options, std::move(*loaded)).run();
}

}  // namespace brickgate::cli
