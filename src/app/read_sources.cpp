// SPDX-License-Identifier: Apache-2.0
// Gathers what is configured from the process and the disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "app/dotenv.h"
#include "app/load_config.h"
#include "app/settings_table.h"
#include "base/encoding.h"

extern char** environ;

namespace brickgate {

namespace {

constexpr char const* dotenv_name = ".env";
constexpr char const* file_name = "brickgate.toml";

struct ReadFile {
    std::string text;
    mode_t mode = 0;
};

std::unexpected<Error> refused(std::string const& path, std::string const& why) {
    return fail(ErrorCode::config_invalid, path + " " + why);
}

class Descriptor {
 public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    Descriptor(Descriptor const&) = delete;
    Descriptor& operator=(Descriptor const&) = delete;
    int get() const { return fd_; }

 private:
    int fd_;
};

// A link belongs to whoever made it, wherever it leads.
Result<void> check_writers(std::string const& path, struct stat const& about) {
    struct stat link{};
    bool const looked = lstat(path.c_str(), &link) == 0;
    uid_t const own = geteuid();
    for (uid_t const owner : {about.st_uid, looked ? link.st_uid : about.st_uid}) {
        if (owner != own && owner != 0) {
            return refused(path, "belongs to another user (uid " + std::to_string(owner) +
                                     "), who could send your secrets anywhere with it: it is not "
                                     "read. Make it yours (chown), or run this in another folder.");
        }
    }
    if ((about.st_mode & 0022) != 0) {
        return refused(path,
                       "can be written by others, who could send your secrets anywhere with it: "
                       "it is not read. chmod go-w " +
                           path);
    }
    return {};
}

// nullopt: there is none, or a folder: Python's virtual environments are called .env. Judged and
// read through one descriptor, so that nothing is put in its place between.
Result<std::optional<ReadFile>> read_checked(std::string const& path, bool named = false) {
    Descriptor const file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat about{};
    if (file.get() < 0 ? errno == ENOENT || errno == ENOTDIR
                       : fstat(file.get(), &about) == 0 && !S_ISREG(about.st_mode)) {
        return std::nullopt;
    }
    if (file.get() < 0) {
        return refused(path, "cannot be read.");
    }
    if (auto const checked = check_writers(path, about); !named && !checked) {
        return fail(checked.error());
    }
    ReadFile out{.text = std::string(static_cast<std::size_t>(about.st_size), '\0'),
                 .mode = about.st_mode};
    std::size_t got = 0;
    while (got < out.text.size()) {
        ssize_t const part = read(file.get(), out.text.data() + got, out.text.size() - got);
        if (part < 0) {
            return refused(path, "cannot be read.");
        }
        if (part == 0) {
            break;
        }
        got += static_cast<std::size_t>(part);
    }
    out.text.resize(got);
    return out;
}

bool is_wide(ReadFile const& file) {
    return (file.mode & 0077) != 0;
}

// Out of /proc/<pid>/environ too, which is where getenv points.
void wipe_from_environment(std::string const& name) {
    if (char* const value = getenv(name.c_str())) {
        explicit_bzero(value, std::char_traits<char>::length(value));
    }
    unsetenv(name.c_str());
}

ConfigValues take_environment() {
    ConfigValues out;
    for (char** entry = environ; entry && *entry; ++entry) {
        std::string_view const text = *entry;
        auto const equals = text.find('=');
        if (equals != std::string_view::npos) {
            out.emplace(text.substr(0, equals), text.substr(equals + 1));
        }
    }
    for (auto const& setting : all_settings()) {
        if (setting.secret) {
            wipe_from_environment(setting.environment_name());
            wipe_from_environment(std::string(setting.plain_name));
        }
    }
    return out;
}

bool names_the_app(Setting const& setting) {
    auto const name = setting.name();
    return name == "databricks.host" || name == "databricks.client_id" ||
           name == "databricks.client_secret";
}

// Leaves host and client of what .env says, and tells of every other setting there.
void keep_the_app_only(ConfigValues& dotenv, std::vector<std::string>& warnings) {
    ConfigValues kept;
    std::string others;
    for (auto const& setting : all_settings()) {
        for (auto const& name : {setting.environment_name(), std::string(setting.plain_name)}) {
            auto found = dotenv.extract(name);
            if (found.empty() || found.mapped().empty()) {
                continue;
            }
            if (names_the_app(setting)) {
                kept.insert(std::move(found));
                continue;
            }
            wipe(found.mapped());
            others += (others.empty() ? "" : ", ") + name;
        }
    }
    for (auto& [name, value] : dotenv) {
        wipe(value);
    }
    dotenv = std::move(kept);
    if (!others.empty()) {
        warnings.push_back(others +
                           " in .env of this folder: not taken by this command. The environment "
                           "or --config can say it.");
    }
}

Result<void> read_dotenv(ConfigSources& sources, WorkingFolder folder,
                         std::vector<std::string>& warnings) {
    auto file = read_checked(dotenv_name);
    if (!file) {
        return fail(file.error());
    }
    if (!*file) {
        return {};
    }
    sources.dotenv = parse_dotenv((*file)->text);
    wipe((*file)->text);
    if (folder == WorkingFolder::names_the_app) {
        keep_the_app_only(sources.dotenv, warnings);
    }
    bool const has_secret = std::ranges::any_of(all_settings(), [&](auto const& setting) {
        return setting.secret && (sources.dotenv.contains(setting.environment_name()) ||
                                  sources.dotenv.contains(std::string(setting.plain_name)));
    });
    if (has_secret && is_wide(**file)) {
        warnings.emplace_back(".env holds a secret and can be read by others: chmod 600 .env");
    }
    return {};
}

std::string text_of(ConfigValues const& environment, char const* name) {
    auto const found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

// Empty: nothing says where that is.
std::string users_file(ConfigValues const& environment) {
    std::string folder = text_of(environment, "XDG_CONFIG_HOME");
    if (!folder.starts_with('/')) {
        std::string const home = text_of(environment, "HOME");
        folder = home.starts_with('/') ? home + "/.config" : "";
    }
    return folder.empty() ? "" : folder + "/brickgate/" + file_name;
}

// Whether there was one.
Result<bool> take_file(ConfigSources& sources, std::string const& path, bool named) {
    auto file = read_checked(path, named);
    if (!file) {
        return fail(file.error());
    }
    if (!*file) {
        return false;
    }
    sources.file_name = path;
    sources.file_is_wide = is_wide(**file);
    sources.file_text = std::move((*file)->text);
    return true;
}

Result<void> read_file(ConfigSources& sources, std::string const& config_file, WorkingFolder folder,
                       std::vector<std::string>& warnings) {
    if (!config_file.empty()) {
        auto const taken = take_file(sources, config_file, true);
        if (!taken || !*taken) {
            return fail(ErrorCode::config_invalid,
                        "The configuration file " + config_file + " cannot be read.");
        }
        return {};
    }
    if (folder == WorkingFolder::decides) {
        auto const taken = take_file(sources, file_name, false);
        if (!taken) {
            return fail(taken.error());
        }
        if (*taken) {
            return {};
        }
    }
    std::error_code ec;
    if (folder == WorkingFolder::names_the_app && std::filesystem::exists(file_name, ec)) {
        warnings.emplace_back(
            "brickgate.toml of this folder: not read by this command unless --config names it.");
    }
    if (auto const path = users_file(sources.environment); !path.empty()) {
        if (auto const taken = take_file(sources, path, false); !taken) {
            return fail(taken.error());
        }
    }
    return {};
}

std::string default_data_dir(ConfigValues const& environment) {
    if (auto const folder = text_of(environment, "STATE_DIRECTORY"); !folder.empty()) {
        return folder.substr(0, folder.find(':'));  // of the service manager
    }
    if (auto const state = text_of(environment, "XDG_STATE_HOME"); state.starts_with('/')) {
        return state + "/brickgate";
    }
    std::string const home = text_of(environment, "HOME");
    return home.empty() ? "/var/lib/brickgate" : home + "/.local/state/brickgate";
}

}  // namespace

Result<ConfigSources> read_sources(ConfigValues flags, std::string const& config_file,
                                   std::vector<std::string>& warnings, WorkingFolder folder) {
    ConfigSources sources;
    sources.flags = std::move(flags);
    sources.environment = take_environment();
    sources.default_data_dir = default_data_dir(sources.environment);
    if (folder != WorkingFolder::is_ignored) {
        if (auto const read = read_dotenv(sources, folder, warnings); !read) {
            return fail(read.error());
        }
    }
    if (auto const read = read_file(sources, config_file, folder, warnings); !read) {
        return fail(read.error());
    }
    return sources;
}

}  // namespace brickgate
