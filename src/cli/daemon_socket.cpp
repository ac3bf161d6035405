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

Result<int> connect_to_daemon(std::string const& folder) {
    std::string const path = socket_of(folder);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return -1;
    }
    path.copy(address.sun_path, path.size());
    int const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    auto const listener = listener_of(fd);
    if (!listener || !is_trusted(*listener, folder)) {
        close(fd);
        return fail(Error(ErrorCode::data_folder_invalid,
                          "Another user (uid " +
                              (listener ? std::to_string(*listener) : std::string("unknown")) +
                              ") listens on " + path + ": nothing is asked of them.")
                        .with_hint("Choose a data folder of your own: chmod 700, and --data or "
                                   "BRICKGATE_DATA_DIR."));
    }
    return fd;
}

bool daemon_listens(std::string const& folder) {
    auto const fd = connect_to_daemon(folder);
    if (!fd || *fd < 0) {
        return false;
    }
    close(*fd);
    return true;
}

}  // namespace brickgate::cli
