// SPDX-License-Identifier: Apache-2.0
#include "cli/daemon_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <optional>

namespace brickgate::cli {

namespace {

// Who began to listen there.
std::optional<uid_t> listener_of(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return std::nullopt;
    }
    return peer.uid;
}

// Root also speaks to the gateway of another user, in that user's own folder.
bool is_trusted(uid_t listener, std::string const& folder) {
    struct stat about{};
    bool const of_folder =
        geteuid() == 0 && lstat(folder.c_str(), &about) == 0 && about.st_uid == listener;
    return listener == geteuid() || listener == 0 || of_folder;
}

}  // namespace

std::string socket_of(std::string const& folder) {
    return folder + "/brickgate.sock";
}

Result<void> check_daemon(int socket, std::string const& folder) {
    auto const listener = listener_of(socket);
    if (listener && is_trusted(*listener, folder)) {
        return {};
    }
    std::string const uid = listener ? std::to_string(*listener) : "unknown";
    return fail(Error(ErrorCode::data_folder_invalid, "Another user (uid " + uid + ") listens on " +
                                                          socket_of(folder) +
                                                          ": nothing is asked of them.")
                    .with_hint("Choose a data folder of your own: chmod 700, and --data or "
                               "BRICKGATE_DATA_DIR."));
}

Result<bool> find_daemon(std::string const& folder) {
    std::string const path = socket_of(folder);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return false;
    }
    path.copy(address.sun_path, path.size());
    int const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool const connected =
        connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof(address)) == 0;
    auto const checked = connected ? check_daemon(fd, folder) : Result<void>{};
    close(fd);
    if (!checked) {
        return fail(checked.error());
    }
    return connected;
}

bool daemon_listens(std::string const& folder) {
    return find_daemon(folder).value_or(false);
}

}  // namespace brickgate::cli
