// SPDX-License-Identifier: Apache-2.0
#include "app/root_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "app/key_command.h"
#include "vault/passphrase_root.h"
#include "vault/root_key.h"

namespace brickgate {

namespace {

constexpr std::size_t credential_bytes_max = 4096;
constexpr std::string_view on_terminal = "tty";

std::unexpected<Error> invalid(std::string message, std::string hint = {}) {
    return std::unexpected(
        Error(ErrorCode::root_key_invalid, std::move(message)).with_hint(std::move(hint)));
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    while (!text.empty() && (text.front() == '\n' || text.front() == ' ')) {
        text.remove_prefix(1);
    }
    return text;
}

Result<RootKeys> parsed(Secret const& text) {
    auto keys = text.expose([](std::string_view lines) { return parse_root_keys(trimmed(lines)); });
    if (!keys) {
        return fail(std::move(keys.error()));
    }
    return RootKeys{std::move(*keys), {}, false};
}

bool has_database(std::filesystem::path const& folder) {
    std::error_code ignored;
    return std::filesystem::exists(folder / "brickgate.db", ignored);
}

Result<RootKeys> from_file(std::filesystem::path const& file, std::filesystem::path const& folder,
                           Random& random) {
    // A new key would open nothing, and would stand where the right one is to be put back.
    std::error_code ec;
    if (has_database(folder) &&
        !std::filesystem::exists(std::filesystem::symlink_status(file, ec))) {
        return invalid("There is a database, but its root key " + file.string() + " is gone.",
                       "Put the file back from its copy (mode 0400), or name it with "
                       "data.root_key_file.");
    }
    auto loaded = load_root_key_file(file, random);
    if (!loaded) {
        return fail(std::move(loaded.error()));
    }
    return RootKeys{std::move(loaded->keys), file, loaded->made};
}

// The service manager owns the file and lets this process alone read it, so that neither owner nor
// group says anything; what everybody may read is no credential.
Result<RootKeys> from_credential(std::string const& name) {
    char const* const folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (!folder) {
        return invalid("There are no credentials: CREDENTIALS_DIRECTORY is not set.",
                       "Start the gateway as a systemd service with LoadCredentialEncrypted=" +
                           name + ", or choose another source of the root key.");
    }
    std::string const path = std::string(folder) + "/" + name;
    int const fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return invalid("The credential " + path + " cannot be read.");
    }
    struct stat about{};
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || (about.st_mode & 0007) != 0) {
        close(fd);
        return invalid("The credential " + path + " is not a private file.");
    }
    std::string text(credential_bytes_max, '\0');
    ssize_t const size = read(fd, text.data(), text.size());
    close(fd);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return parsed(Secret::from(std::move(text)));
}

// A line of the terminal itself, whatever standard input is; not shown while it is typed.
Result<Secret> ask(std::string_view question) {
    int const fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    termios before{};
    if (fd < 0 || tcgetattr(fd, &before) != 0) {
        return invalid("There is no terminal to ask for the passphrase on.",
                       "Start it in a terminal, or put the passphrase into a file (mode 0400).");
    }
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(fd, TCSAFLUSH, &silent);
    (void)!write(fd, question.data(), question.size());
    std::string line(1024, '\0');
    ssize_t const size = read(fd, line.data(), line.size());
    tcsetattr(fd, TCSAFLUSH, &before);
    (void)!write(fd, "\n", 1);
    close(fd);
    line.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return Secret::from(std::move(line));
}

Result<Secret> passphrase(std::string const& source, bool is_new) {
    if (source != on_terminal) {
        auto text = read_private_file(source, "The passphrase's file");
        if (!text) {
            return fail(std::move(text.error()));
        }
        return *text ? Result<Secret>(std::move(**text))
                     : invalid("The passphrase's file " + source + " is not there.");
    }
    auto first = ask("Passphrase of the root key: ");
    if (!first || !is_new) {
        return first;
    }
    auto const second = ask("Once more, since it is new: ");
    if (!second || !first->ct_equal(*second)) {
        return invalid("The two passphrases differ.");
    }
    return first;
}

Result<RootKeys> from_passphrase(std::string const& source, std::filesystem::path const& folder,
                                 Random& random) {
    auto const recipe = folder / "root.argon2id";
    std::error_code ignored;
    bool const is_new = !std::filesystem::exists(recipe, ignored);
    if (is_new && has_database(folder)) {
        return invalid("There is a database, but " + recipe.string() + " is gone.",
                       "Put the file back from a backup: the passphrase alone is not enough.");
    }
    auto const words = passphrase(source, is_new);
    if (!words) {
        return fail(words.error());
    }
    Secret const typed =
        words->expose([](std::string_view text) { return Secret::copy_of(trimmed(text)); });
    auto key = root_from_passphrase(recipe, typed, random);
    if (!key) {
        return fail(std::move(key.error()));
    }
    RootKeys out;
    out.keys.push_back(std::move(*key));
    return out;
}

}  // namespace

std::filesystem::path root_key_file_of(Config const& config, std::filesystem::path const& folder) {
    auto const& data = config.data;
    bool const elsewhere = !data.root_key.empty() || !data.root_key_credential.empty() ||
                           !data.root_key_command.empty() || !data.root_key_passphrase_file.empty();
    if (elsewhere) {
        return {};
    }
    return data.root_key_file.empty() ? folder / "root.key"
                                      : std::filesystem::path(data.root_key_file);
}

Result<RootKeys> load_root_keys(Config const& config, std::filesystem::path const& folder,
                                Random& random) {
    auto const& data = config.data;
    if (!data.root_key.empty()) {
        return parsed(data.root_key);
    }
    if (!data.root_key_credential.empty()) {
        return from_credential(data.root_key_credential);
    }
    if (!data.root_key_command.empty()) {
        auto const printed = run_key_command(data.root_key_command);
        return printed ? parsed(*printed) : fail(printed.error());
    }
    if (!data.root_key_passphrase_file.empty()) {
        return from_passphrase(data.root_key_passphrase_file, folder, random);
    }
    return from_file(root_key_file_of(config, folder), folder, random);
}

std::vector<std::pair<std::string, std::string>> root_key_complaints(Config const& config) {
    auto const& data = config.data;
    std::vector<std::pair<std::string, std::string>> out;
    std::vector<std::string> set;
    auto const note = [&](std::string name, bool given) {
        if (given) {
            set.push_back("data." + std::move(name));
        }
    };
    note("root_key", !data.root_key.empty());
    note("root_key_file", !data.root_key_file.empty());
    note("root_key_credential", !data.root_key_credential.empty());
    note("root_key_command", !data.root_key_command.empty());
    note("root_key_passphrase_file", !data.root_key_passphrase_file.empty());
    if (set.size() > 1) {
        out.emplace_back(set[0], "and " + set[1] + " are both set; keep one of them");
    }
    if (!data.root_key.empty()) {
        auto const keys =
            data.root_key.expose([](std::string_view text) { return parse_root_keys(text); });
        if (!keys) {
            out.emplace_back("data.root_key", keys.error().message());
        }
    }
    auto const& name = data.root_key_credential;
    if (name.find('/') != std::string::npos || name.starts_with('.')) {
        out.emplace_back("data.root_key_credential", "is a name, not a path");
    }
    return out;
}

}  // namespace brickgate
